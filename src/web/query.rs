//! Parameters of lists: `?limit=`, `?after=`, `?state=`, `?matchers=` (repeatable) and filters.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use jiff::tz::TimeZone;

use super::error::ApiError;
use crate::model::{Labels, Matcher, Ts, matches_all};
use crate::notify::Language;
use crate::store::Page;

/// Rows of a page without `?limit=`.
const DEFAULT_LIMIT: u32 = 100;

/// Rows of the largest page.
const MAX_LIMIT: u32 = 1000;

/// What axum hands over.
pub(super) type RawQuery = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// A list's parameters, read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ListQuery {
    pub(super) limit: u32,
    pub(super) after: Option<String>,
    pub(super) state: Option<String>,
    pub(super) matchers: Vec<Matcher>,
    pub(super) job: Option<String>,
    pub(super) incident: Option<u64>,
    pub(super) receiver: Option<String>,
    pub(super) source: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) unowned: bool,
    pub(super) since: Option<Ts>,
    pub(super) language: Language,
    pub(super) zone: Option<TimeZone>,
}

impl ListQuery {
    /// Reads the parameters; `known` are those this list has, `states` the words `?state=` takes.
    pub(super) fn read(
        raw: RawQuery,
        known: &[&str],
        states: &[&str],
    ) -> Result<ListQuery, ApiError> {
        let Query(pairs) = raw.map_err(|_| {
            ApiError::bad_request("the query cannot be read; percent-encode its values")
        })?;
        let mut query = ListQuery { limit: DEFAULT_LIMIT, ..ListQuery::default() };
        for (name, value) in pairs {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(ApiError::bad_request(format!(
                    "unknown parameter {name:?}; this list takes {known}"
                )));
            }
            match name.as_str() {
                "limit" => query.limit = limit(&value)?,
                "after" => query.after = Some(value),
                "state" => query.state = Some(state(&value, states)?),
                "matchers" => query.matchers.extend(matchers(&value)?),
                "job" => query.job = Some(value),
                "receiver" => query.receiver = Some(value),
                "source" => query.source = Some(value),
                "rule" => query.rule = Some(value),
                "unowned" => query.unowned = flag(&name, &value)?,
                "since" => query.since = Some(since(&value)?),
                "language" => query.language = language(&value)?,
                "zone" => query.zone = Some(zone(&value)?),
                _ => query.incident = Some(number(&name, &value)?),
            }
        }
        Ok(query)
    }

    /// The page to ask the store for.
    pub(super) fn page(&self) -> Result<Page, ApiError> {
        let after = self.after.as_deref().map(|text| number("after", text)).transpose()?;
        Ok(Page {
            limit: self.limit,
            after,
            state: self.state.clone(),
            job: self.job.clone(),
            incident: self.incident,
            receiver: self.receiver.clone(),
            since: self.since,
            rule: self.rule.clone(),
        })
    }

    /// Whether all matchers hold.
    pub(super) fn matches(&self, labels: &Labels) -> bool {
        matches_all(&self.matchers, labels)
    }
}

/// A time as the API writes it.
pub(super) fn since(value: &str) -> Result<Ts, ApiError> {
    value.parse::<jiff::Timestamp>().map(|at| Ts(at.as_millisecond())).map_err(|_| {
        ApiError::bad_request(format!(
            "since {value:?} is no time; write it like 2026-11-20T06:00:00Z"
        ))
    })
}

fn language(value: &str) -> Result<Language, ApiError> {
    match value {
        "en" => Ok(Language::En),
        "zh" => Ok(Language::Zh),
        _ => Err(ApiError::bad_request(format!("unknown language {value:?}; it is en or zh"))),
    }
}

fn zone(value: &str) -> Result<TimeZone, ApiError> {
    TimeZone::get(value).map_err(|_| {
        ApiError::bad_request(format!("unknown zone {value:?}; write it like Asia/Shanghai"))
    })
}

fn limit(value: &str) -> Result<u32, ApiError> {
    value.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n)).ok_or_else(|| {
        ApiError::bad_request(format!(
            "limit {value:?} is not a number from 1 to {MAX_LIMIT}; page on with ?after="
        ))
    })
}

fn flag(name: &str, value: &str) -> Result<bool, ApiError> {
    value
        .parse()
        .map_err(|_| ApiError::bad_request(format!("{name} {value:?} is neither true nor false")))
}

fn number(name: &str, value: &str) -> Result<u64, ApiError> {
    value.trim_start_matches('#').parse().map_err(|_| {
        ApiError::bad_request(format!("{name} {value:?} is not an id; ids are numbers such as 128"))
    })
}

fn state(value: &str, states: &[&str]) -> Result<String, ApiError> {
    let found = states.iter().find(|word| word.eq_ignore_ascii_case(value));
    found.map(|word| (*word).to_owned()).ok_or_else(|| {
        let states = states.join(", ");
        ApiError::bad_request(format!("unknown state {value:?}; it is one of {states}"))
    })
}

fn matchers(value: &str) -> Result<Vec<Matcher>, ApiError> {
    Matcher::parse_all(value).map_err(|e| ApiError::bad_request(e.to_string()))
}
