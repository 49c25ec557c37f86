//! `GET /api/v1/rules`: the rules in force, in order of their files, and how they stand now.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::explain::Counted;
use crate::engine::RuleReport;
use crate::web::Shared;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};

/// A rule as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    group: String,
    alert: String,
    severity: &'static str,
    kind: &'static str,
    aspect: String,
    for_seconds: u64,
    keep_firing_for_seconds: u64,
    matchers: Vec<String>,
    /// Subjects it is pending, firing … for.
    #[serde(flatten)]
    counts: Counted,
}

impl From<RuleReport> for Item {
    fn from(report: RuleReport) -> Item {
        Item {
            group: report.rule.group,
            alert: report.rule.alert,
            severity: report.rule.severity.as_str(),
            kind: report.kind,
            aspect: report.aspect.0,
            for_seconds: report.hold.as_secs(),
            keep_firing_for_seconds: report.keep_firing_for.as_secs(),
            matchers: report.matchers,
            counts: report.counts.into(),
        }
    }
}

pub(super) async fn list(
    State(shared): State<Shared>,
    raw: RawQuery,
) -> Result<Json<Vec<Item>>, ApiError> {
    let query = ListQuery::read(raw, &["limit", "after", "state"], &["pending", "firing"])?;
    let mut rules = shared.web.asker.rules().await?;
    // Rules have no order but that of their files: the last one seen is named as in messages.
    if let Some(after) = &query.after {
        let seen = rules.iter().position(|report| report.rule.to_string() == *after);
        let Some(seen) = seen else {
            return Err(ApiError::bad_request(format!(
                "after {after:?} is no rule; write it as group/alert/severity"
            )));
        };
        rules.drain(..=seen);
    }
    let stands = |report: &RuleReport| match query.state.as_deref() {
        Some("pending") => report.counts.pending > 0,
        Some(_) => report.counts.firing > 0,
        None => true,
    };
    let items = rules.into_iter().filter(stands).take(query.limit as usize).map(Item::from);
    Ok(Json(items.collect()))
}
