//! The ResourceManager's answers, Hadoop 2.x to 3.5, as narrowly as Weir needs them. Fields are
//! optional, numbers may be strings, unknown ones are skipped.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::sources::flink::lenient::{int, text};

/// `info`; without `clusterInfo` it is not one.
#[derive(Debug, Deserialize)]
pub(super) struct InfoAnswer {
    #[serde(rename = "clusterInfo")]
    pub(super) info: Info,
}

/// A ResourceManager about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Info {
    /// When its process began, ms.
    #[serde(deserialize_with = "int")]
    pub(super) started_on: Option<i64>,
    /// `NOTINITED`, `INITED`, `STARTED` or `STOPPED`.
    #[serde(deserialize_with = "text")]
    pub(super) state: Option<String>,
    /// `INITIALIZING`, `ACTIVE`, `STANDBY`, `STOPPING`, `STOPPED`.
    #[serde(deserialize_with = "text")]
    pub(super) ha_state: Option<String>,
}

/// `metrics`; without `clusterMetrics` it is not one.
#[derive(Debug, Deserialize)]
pub(super) struct MetricsAnswer {
    #[serde(rename = "clusterMetrics")]
    pub(super) metrics: Metrics,
}

/// What the whole cluster has and uses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Metrics {
    #[serde(rename = "activeNodes", deserialize_with = "int")]
    pub(super) active_nodes: Option<i64>,
    #[serde(rename = "allocatedMB", deserialize_with = "int")]
    pub(super) allocated_mb: Option<i64>,
    #[serde(rename = "totalMB", deserialize_with = "int")]
    pub(super) total_mb: Option<i64>,
    #[serde(rename = "allocatedVirtualCores", deserialize_with = "int")]
    pub(super) allocated_vcores: Option<i64>,
    #[serde(rename = "totalVirtualCores", deserialize_with = "int")]
    pub(super) total_vcores: Option<i64>,
}

/// `apps`; without `apps` it is not one, but `null` and `{}` are empty ones.
#[derive(Debug, Deserialize)]
pub(super) struct AppsAnswer {
    #[serde(deserialize_with = "present")]
    pub(super) apps: Option<Apps>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Apps {
    #[serde(deserialize_with = "one_or_many")]
    pub(super) app: Vec<App>,
}

/// An application.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct App {
    #[serde(deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) name: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) user: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) queue: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) state: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) final_status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) application_type: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) application_tags: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) diagnostics: Option<String>,
    /// ms; zero or absent without the right to view it.
    #[serde(deserialize_with = "int")]
    pub(super) started_time: Option<i64>,
    /// ms; zero while it runs.
    #[serde(deserialize_with = "int")]
    pub(super) finished_time: Option<i64>,
    #[serde(rename = "amRPCAddress", deserialize_with = "text")]
    pub(super) am_rpc_address: Option<String>,
    /// Its path names the container, and that the attempt.
    #[serde(deserialize_with = "text")]
    pub(super) am_container_logs: Option<String>,
}

/// A field that must be there, `null` or not.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Apps>, D::Error> {
    Option::<Apps>::deserialize(d)
}

struct Rows;

impl<'de> Visitor<'de> for Rows {
    type Value = Vec<App>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("applications")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<App>, A::Error> {
        let mut apps = Vec::new();
        while let Some(app) = seq.next_element()? {
            apps.push(app);
        }
        Ok(apps)
    }
    // A single one, as gateways write it that turn XML into JSON.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<App>, A::Error> {
        App::deserialize(MapAccessDeserializer::new(map)).map(|app| vec![app])
    }
    fn visit_unit<E>(self) -> Result<Vec<App>, E> {
        Ok(Vec::new())
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<App>, D::Error> {
    d.deserialize_any(Rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_come_in_many_shapes() {
        let app =
            r#"{"id":"application_1_1","startedTime":"17","resourceRequests":[{"a":{}}],"x":1}"#;
        for (answer, expected) in [
            (r#"{"apps":null}"#.to_owned(), Some(0)),
            (r#"{"apps":{}}"#.to_owned(), Some(0)),
            (r#"{"apps":{"app":null}}"#.to_owned(), Some(0)),
            (r#"{"apps":{"app":[]}}"#.to_owned(), Some(0)),
            (format!(r#"{{"apps":{{"app":{app}}}}}"#), Some(1)),
            (format!(r#"{{"apps":{{"app":[{app},{app}]}}}}"#), Some(2)),
            (r#"{"RemoteException":{"message":"x"}}"#.to_owned(), None),
            (r#"{"apps":[]"#.to_owned(), None),
        ] {
            let read = serde_json::from_str::<AppsAnswer>(&answer);
            let apps = read.ok().map(|a| a.apps.unwrap_or_default().app);
            assert_eq!(apps.as_ref().map(Vec::len), expected, "{answer}");
            let started = apps.and_then(|apps| apps.first()?.started_time);
            assert!(started.is_none() || started == Some(17), "{answer}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_none() {
        let answer = r#"{"clusterInfo":{"startedOn":{"a":1},"haState":"ACTIVE","id":"7"}}"#;
        let info = serde_json::from_str::<InfoAnswer>(answer).unwrap().info;
        assert_eq!((info.started_on, info.ha_state.as_deref()), (None, Some("ACTIVE")));
        let metrics = r#"{"clusterMetrics":{"totalMB":"8192","activeNodes":1.0}}"#;
        let metrics = serde_json::from_str::<MetricsAnswer>(metrics).unwrap().metrics;
        assert_eq!((metrics.total_mb, metrics.active_nodes), (Some(8192), Some(1)));
    }
}
