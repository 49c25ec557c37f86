//! `GET /api/v1/routes`: who would hear of an alert, asked of the running engine.

use axum::extract::{Query, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::time;
use crate::engine::{RouteAnswer, RouteQuestion};
use crate::model::{Labels, Severity, Ts};
use crate::notify;
use crate::web::error::ApiError;
use crate::web::query::RawQuery;
use crate::web::{Caller, Shared};

/// The answer as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// When it was asked, RFC 3339.
    pub at: String,
    /// The job's key, if a job was asked for.
    pub job: Option<String>,
    /// Labels of the alert; without a severity if several are answered for.
    pub labels: Labels,
    /// By severity, the worst first.
    pub severities: Vec<OfSeverity>,
}

/// Who hears of an alert of one severity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfSeverity {
    /// Severity word.
    pub severity: String,
    /// At least one way leads to somebody who hears.
    pub heard: bool,
    /// The routes that take it, in the order of the file.
    pub ways: Vec<Way>,
}

/// One route that takes it as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// From the root to the route that takes it.
    pub path: Vec<Step>,
    /// Who is told.
    pub receiver: String,
    /// Its channels; none: it is recorded and told to nobody.
    pub channels: Vec<Channel>,
    /// Everything but the sending.
    pub shadow: bool,
    /// An earlier way leads to the same receiver, which is told once.
    pub again: bool,
    /// Labels the group is keyed by, with their values.
    pub group: Labels,
    /// Wait before the first message of a new group.
    pub group_wait_seconds: u64,
    /// Wait between messages of a group.
    pub group_interval_seconds: u64,
    /// First repetition, then twice this, then daily.
    pub repeat_interval_seconds: u64,
    /// What mutes it now: a time interval, or `outside of` some.
    pub muted_by: Option<String>,
    /// When that ends, RFC 3339; null: in more than a year, or never.
    pub muted_until: Option<String>,
    /// The digest it would be kept for, RFC 3339.
    pub held_until: Option<String>,
    /// Who is told next while nobody acknowledges it, in order of time.
    #[serde(default)]
    pub escalate: Vec<Onward>,
}

/// A receiver that is told later as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onward {
    /// So long after the receiver of the way was told, if nobody acknowledges.
    pub after_seconds: u64,
    /// Who is told then.
    pub receiver: String,
    /// Its channels.
    pub channels: Vec<Channel>,
}

/// A node of the tree as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Position in the tree, such as `0.1`.
    pub id: String,
    /// Its matchers as written; none: everything.
    pub matchers: Vec<String>,
    /// Its receiver.
    pub receiver: String,
    /// Its siblings are tried, too.
    #[serde(rename = "continue")]
    pub continues: bool,
}

/// A channel as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// `feishu_bot`, `email`, …
    pub kind: String,
}

impl From<notify::Way> for Way {
    fn from(way: notify::Way) -> Way {
        let at = |at: Option<Ts>| at.and_then(time);
        let step = |step: notify::Step| Step {
            id: step.id,
            matchers: step.matchers,
            receiver: step.receiver,
            continues: step.continues,
        };
        let channels = |all: Vec<(String, String)>| {
            all.into_iter().map(|(name, kind)| Channel { name, kind }).collect()
        };
        let onward = |step: notify::Onward| Onward {
            after_seconds: step.after.as_secs(),
            receiver: step.receiver,
            channels: channels(step.channels),
        };
        Way {
            path: way.path.into_iter().map(step).collect(),
            receiver: way.receiver,
            channels: channels(way.channels),
            shadow: way.shadow,
            again: way.again,
            group: way.group,
            group_wait_seconds: way.group_wait.as_secs(),
            group_interval_seconds: way.group_interval.as_secs(),
            repeat_interval_seconds: way.repeat_interval.as_secs(),
            muted_by: way.muted_by,
            muted_until: at(way.muted_until),
            held_until: at(way.held_until),
            escalate: way.escalate.into_iter().map(onward).collect(),
        }
    }
}

impl From<RouteAnswer> for Routed {
    fn from(answer: RouteAnswer) -> Routed {
        let of = |(severity, ways): (String, Vec<notify::Way>)| OfSeverity {
            severity,
            heard: ways.iter().any(notify::Way::is_heard),
            ways: ways.into_iter().map(Way::from).collect(),
        };
        Routed {
            at: time(answer.at.wall).unwrap_or_default(),
            job: answer.job.map(|key| key.0),
            labels: answer.labels,
            severities: answer.ways.into_iter().map(of).collect(),
        }
    }
}

pub(super) async fn routes(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Routed>, ApiError> {
    let mut question = question(raw)?;
    question.job = caller.named_job(&shared.view(), question.job)?;
    Ok(Json(Routed::from(shared.web.asker.routes(question).await?)))
}

fn question(raw: RawQuery) -> Result<RouteQuestion, ApiError> {
    let Query(pairs) = raw.map_err(|_| {
        ApiError::bad_request("the query cannot be read; percent-encode its values")
    })?;
    let mut question = RouteQuestion::default();
    for (name, value) in pairs {
        match name.as_str() {
            "job" => question.job = Some(value),
            "labels" => read_labels(&value, &mut question.labels)?,
            "severity" | "alertname" => question.labels.set(&name, value),
            _ => {
                return Err(ApiError::bad_request(format!(
                    "unknown parameter {name:?}; this takes job, labels, severity, alertname"
                )));
            }
        }
    }
    let severity = question.labels.get("severity");
    if !severity.is_empty() && Severity::parse(severity).is_none() {
        return Err(ApiError::bad_request(format!(
            "unknown severity {severity:?}; it is one of critical, warning, info"
        )));
    }
    if question.job.is_none() && question.labels.0.is_empty() {
        return Err(ApiError::bad_request(
            "say which alert is meant: ?job=orders, or ?labels=team=ads,severity=critical",
        ));
    }
    Ok(question)
}

/// `team=ads,severity=critical`; a value may stand in quotes and hold commas there.
fn read_labels(text: &str, labels: &mut Labels) -> Result<(), ApiError> {
    let wrong = || {
        ApiError::bad_request(format!("labels {text:?} are not of the form name=value,name=value"))
    };
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(wrong)?;
        let (value, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, left) = quoted.split_once('"').ok_or_else(wrong)?;
                (value, left.trim_start())
            }
            None => match after.find(',') {
                Some(at) => after.split_at(at),
                None => (after, ""),
            },
        };
        let name = name.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(fine) {
            return Err(wrong());
        }
        labels.set(name, value.trim());
        rest = match left.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if left.is_empty() => "",
            None => return Err(wrong()),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_people_type_them() {
        let read = |text: &str| {
            let mut labels = Labels::default();
            read_labels(text, &mut labels).ok().map(|()| labels)
        };
        let two = Labels::from([("team", "ads"), ("severity", "critical")]);
        for text in ["team=ads,severity=critical", " team = ads , severity=\"critical\" ,"] {
            assert_eq!(read(text), Some(two.clone()), "{text}");
        }
        let odd = Labels::from([("a", "x=y"), ("b", "1,2")]);
        assert_eq!(read("a=x=y,b=\"1,2\""), Some(odd));
        assert_eq!(read(""), Some(Labels::default()));
        for text in ["team", "=x", "a b=c", "a=\"b", "a=\"b\"c", "a!=b"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
