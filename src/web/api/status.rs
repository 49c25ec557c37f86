//! `GET /api/v1/status`: Weir itself in one answer: readiness, counts, channels.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::time;
use crate::web::{Shared, health};

/// So many are told; whoever mends them sees the next.
const MAX_LABEL_PROBLEMS: usize = 100;

/// Weir itself as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    version: &'static str,
    at: Option<String>,
    ready: bool,
    not_ready_because: Option<String>,
    reload_error: Option<String>,
    jobs: usize,
    jobs_by_state: BTreeMap<&'static str, usize>,
    jobs_stale: usize,
    failures_seen: u64,
    pending_notices: usize,
    due_messages: usize,
    channels: Vec<Channel>,
    /// Jobs whose labels should change a rule and cannot.
    label_problems: Vec<String>,
}

#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the same names as in notices and messages")]
struct Channel {
    receiver: String,
    channel: String,
    kind: String,
    failing_since: Option<String>,
    error: Option<String>,
    sent: u64,
    attempts: u64,
}

pub(super) async fn status(State(shared): State<Shared>) -> Json<Status> {
    let (view, health) = (shared.view(), shared.health());
    let mut jobs_by_state = BTreeMap::new();
    for job in view.jobs.values() {
        *jobs_by_state.entry(job.state.as_str()).or_default() += 1;
    }
    let channels = view.channels.iter().map(|(id, channel)| Channel {
        receiver: id.receiver.clone(),
        channel: id.channel.clone(),
        kind: channel.kind.clone(),
        failing_since: channel.failing_since.and_then(time),
        error: channel.error.clone(),
        sent: channel.sent,
        attempts: channel.attempts,
    });
    let because = health::why_not_ready(&view, &health);
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        at: view.at.and_then(|at| time(at.wall)),
        ready: because.is_none(),
        not_ready_because: because,
        reload_error: health.reload_error.clone(),
        jobs: view.jobs.len(),
        jobs_by_state,
        jobs_stale: view.jobs.values().filter(|job| job.stale).count(),
        failures_seen: view.failures_seen,
        pending_notices: view.pending_notices,
        due_messages: view.due_messages,
        channels: channels.collect(),
        label_problems: view.label_problems.iter().take(MAX_LABEL_PROBLEMS).cloned().collect(),
    })
}
