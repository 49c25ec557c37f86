//! `GET /api/v1/status`: Weir itself in one answer: readiness, counts, channels.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;

use super::time;
use crate::engine::View;
use crate::model::Schedule;
use crate::web::{Caller, Shared, health};

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
    /// These three are of the whole: null for who sees a part of it.
    failures_seen: Option<u64>,
    pending_notices: Option<usize>,
    due_messages: Option<usize>,
    channels: Vec<Channel>,
    /// Nothing is restarted automatically at the moment.
    restarts_paused: bool,
    /// Jobs whose labels should change a rule and cannot.
    label_problems: Vec<String>,
    /// Schedules that are about no job.
    idle_schedules: Vec<String>,
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

/// Of the jobs the caller sees.
fn label_problems<'a>(view: &'a View, caller: &'a Caller) -> impl Iterator<Item = &'a String> {
    let key = |said: &str| said.split_once(": ").map(|(key, _)| key.to_owned());
    let own = move |said: &str| key(said).is_some_and(|key| caller.sees_job(view, &key));
    view.label_problems.iter().filter(move |said| !caller.is_confined() || own(said))
}

/// `2: team="ads", Mon-Fri 08:00-24:00 Asia/Shanghai`.
fn idle_schedules(view: &View) -> Vec<String> {
    let words = |(number, schedule): (usize, &Schedule)| {
        let matchers: Vec<String> = schedule.matchers.iter().map(ToString::to_string).collect();
        format!("{number}: {}, {}", matchers.join(" "), schedule.words())
    };
    view.idle_schedules().into_iter().take(MAX_LABEL_PROBLEMS).map(words).collect()
}

pub(super) async fn status(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Json<Status> {
    let (view, health) = (shared.view(), shared.health());
    let confined = caller.is_confined();
    let own = || view.jobs.values().filter(|job| caller.sees(&job.labels));
    let mut jobs_by_state = BTreeMap::new();
    for job in own() {
        *jobs_by_state.entry(job.state.as_str()).or_default() += 1;
    }
    let channels = view.channels.iter().filter(|_| !confined).map(|(id, channel)| Channel {
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
        not_ready_because: because
            .map(|why| if confined { "weir is not ready".to_owned() } else { why }),
        reload_error: health.reload_error.clone().filter(|_| !confined),
        jobs: own().count(),
        jobs_by_state,
        jobs_stale: own().filter(|job| job.stale).count(),
        failures_seen: (!confined).then_some(view.failures_seen),
        pending_notices: (!confined).then_some(view.pending_notices),
        due_messages: (!confined).then_some(view.due_messages),
        channels: channels.collect(),
        restarts_paused: view.restarts.paused,
        idle_schedules: if confined { Vec::new() } else { idle_schedules(&view) },
        label_problems: label_problems(&view, &caller).take(MAX_LABEL_PROBLEMS).cloned().collect(),
    })
}
