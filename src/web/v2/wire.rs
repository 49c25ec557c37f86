//! From the body of a post to alerts, and what is wrong with the others.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::model::{Labels, Posted, Ts};
use crate::web::error::ApiError;

/// Annotations of one alert at most; the others are left out.
const MAX_ANNOTATIONS: usize = 100;
/// Longest annotation, in characters; what is longer is cut.
const LONGEST_TEXT: usize = 4_000;
/// Longest address kept, in bytes; none is better than half of one.
const LONGEST_URL: usize = 4_000;
/// Mistakes named in an answer.
const NAMED: usize = 10;
/// Go's zero time, which its programs send for "none": the year 1.
const NO_TIME: i64 = -62_135_596_800_000;

/// What was read.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    /// Alerts that can be taken in.
    pub(super) posted: Vec<Posted>,
    /// What is wrong with the others, in one line.
    pub(super) wrong: String,
    /// How many those are.
    pub(super) invalid: usize,
}

/// As it is sent; fields nobody here knows are left out, as Alertmanager does.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    starts_at: Option<String>,
    #[serde(default)]
    ends_at: Option<String>,
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// Reads a body.
pub(super) fn read(headers: &HeaderMap, bytes: &Bytes) -> Result<Read, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim_start().starts_with("application/json")) {
        let error = "the body is not json; send `Content-Type: application/json`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    let wires: Vec<Wire> = serde_json::from_slice(bytes).map_err(|error| {
        ApiError::bad_request(format!(
            "the body cannot be read: {error}; it is a list of alerts as Alertmanager's api, \
             version 2, takes them"
        ))
    })?;
    let mut posted = Vec::with_capacity(wires.len());
    let mut errors = Vec::new();
    for wire in wires {
        match checked(wire) {
            Ok(alert) => posted.push(alert),
            Err(error) => errors.push(error),
        }
    }
    let invalid = errors.len();
    let more = invalid.saturating_sub(NAMED);
    errors.truncate(NAMED);
    let mut wrong = errors.join("; ");
    if more > 0 {
        wrong = format!("{wrong}; and {more} more");
    }
    Ok(Read { posted, wrong, invalid })
}

fn checked(wire: Wire) -> Result<Posted, String> {
    let Wire { labels, annotations, starts_at, ends_at, generator_url } = wire;
    let mut labels = labels.unwrap_or_default();
    labels.retain(|_, value| !value.is_empty());
    let annotations = annotations.unwrap_or_default().into_iter().take(MAX_ANNOTATIONS);
    let posted = Posted {
        labels: Labels(labels),
        annotations: annotations.map(|(name, text)| (name, cut(text))).collect(),
        starts_at: time("startsAt", starts_at)?,
        ends_at: time("endsAt", ends_at)?,
        generator_url: generator_url.filter(|url| !url.is_empty() && url.len() <= LONGEST_URL),
    };
    posted.check().map(|()| posted)
}

fn time(name: &str, text: Option<String>) -> Result<Option<Ts>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        // "For ever", as some write it, is later than any zone can show.
        Err(_) if is_last_year(&text) => jiff::Timestamp::MAX,
        Err(_) => return Err(format!("{name} {:?} is no RFC 3339 time", cut(text))),
    };
    let at = at.as_millisecond();
    Ok((at != NO_TIME).then_some(Ts(at)))
}

/// It would be a time, had it not been the very last of them.
fn is_last_year(text: &str) -> bool {
    let other = text.strip_prefix("9999").map(|rest| format!("9998{rest}"));
    other.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST_TEXT {
        return text;
    }
    text.chars().take(LONGEST_TEXT - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Read, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        read(&headers, &Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn a_body_as_prometheus_sends_it() {
        // Prometheus 2.42, `notifier.go`: it always says both times.
        let text = r#"[{"annotations":{"summary":"p99 is 1.3 s"},"endsAt":"2026-11-21T03:34:00.123Z",
            "startsAt":"2026-11-21T11:30:00.123+08:00","generatorURL":"http://prom:9090/graph?g0.expr=x",
            "labels":{"alertname":"Slow","severity":"critical","empty":""}}]"#;
        let read = read_text(text).unwrap();
        assert_eq!((read.wrong.as_str(), read.invalid), ("", 0));
        let [one] = &read.posted[..] else { panic!("{read:?}") };
        assert_eq!(one.labels, Labels::from([("alertname", "Slow"), ("severity", "critical")]));
        assert_eq!(one.starts_at, Some(Ts(1_795_231_800_123)));
        assert_eq!(one.ends_at.map(|at| at.0 - 1_795_231_800_123), Some(240_000));
        assert_eq!(one.generator_url.as_deref(), Some("http://prom:9090/graph?g0.expr=x"));
    }

    #[test]
    fn a_time_that_says_nothing_is_none() {
        // amtool sends Go's zero time for what it was not told.
        for none in ["\"0001-01-01T00:00:00.000Z\"", "\"\"", "null"] {
            let text = format!(
                r#"[{{"labels":{{"a":"b"}},"annotations":null,"startsAt":{none},"endsAt":{none}}}]"#
            );
            let read = read_text(&text).unwrap();
            assert_eq!((read.posted[0].starts_at, read.posted[0].ends_at), (None, None), "{none}");
        }
    }

    #[test]
    fn for_ever_is_the_latest_there_is() {
        let text = r#"[{"labels":{"a":"b"},"endsAt":"9999-12-31T23:59:59Z"}]"#;
        let read = read_text(text).unwrap();
        assert_eq!(read.posted[0].ends_at, Some(Ts(jiff::Timestamp::MAX.as_millisecond())));
    }

    #[test]
    fn one_bad_alert_does_not_spoil_the_others() {
        let text = r#"[{"labels":{"a":"b"}},{"labels":{"a-b":"c"}},{},{"labels":{"a":""}},
            {"labels":{"a":"b"},"endsAt":"tomorrow"},{"labels":{"c":"d"},"status":"firing"}]"#;
        let read = read_text(text).unwrap();
        assert_eq!((read.posted.len(), read.invalid), (2, 4));
        for word in ["invalid name \"a-b\"", "at least one label pair", "endsAt \"tomorrow\""] {
            assert!(read.wrong.contains(word), "{}", read.wrong);
        }
    }

    #[test]
    fn what_is_no_list_of_alerts_is_refused() {
        for text in ["", "{}", "[1]", "[{\"labels\":{\"a\":1}}]", "null", "[{\"labels\":"] {
            assert!(read_text(text).is_err(), "{text}");
        }
        assert!(
            read(&HeaderMap::new(), &Bytes::from_static(b"[]")).is_err(),
            "another site's form"
        );
        assert_eq!(read_text("[]").unwrap().posted, []);
    }

    #[test]
    fn what_is_said_is_bounded() {
        let long = "作".repeat(10_000);
        let text = format!(
            r#"[{{"labels":{{"a":"b"}},"annotations":{{"summary":"{long}"}},"generatorURL":"{long}"}}]"#
        );
        let read = read_text(&text).unwrap();
        assert_eq!(read.posted[0].annotations["summary"].chars().count(), LONGEST_TEXT);
        assert_eq!(read.posted[0].generator_url, None);
        let many: Vec<&str> = vec!["{}"; 1_000];
        let read = read_text(&format!("[{}]", many.join(","))).unwrap();
        assert!(read.wrong.len() < 1_000 && read.wrong.ends_with("and 990 more"), "{}", read.wrong);
    }
}
