//! `GET /api/v1/explain`: why rules are or are not firing now, asked of the running engine.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::{schedule, time};
use crate::engine::{Answer, AskError, Counts, Explanation, Question};
use crate::model::{Evidence, IncidentState, Time, Ts};
use crate::rules::Standing;
use crate::web::error::ApiError;
use crate::web::query::{ListQuery, RawQuery};
use crate::web::{Caller, Shared};

/// The answer as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained {
    /// When it was judged, RFC 3339.
    pub at: String,
    /// Of all (subject, rule) pairs in question, those left out included.
    pub counts: Counted,
    /// When the job that was asked about is meant to run; null: always.
    #[serde(default)]
    pub schedule: Option<schedule::Item>,
    /// Firing and pending first, then by nearness, then unknown, then what does not apply.
    pub explanations: Vec<Item>,
}

/// How many (subject, rule) pairs there are of each sort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counted {
    /// Firing.
    pub firing: usize,
    /// True, but not yet for `for`.
    pub pending: usize,
    /// Not true.
    pub not_true: usize,
    /// Unknown.
    pub unknown: usize,
    /// Not applicable.
    pub not_applicable: usize,
    /// Kept out by matchers.
    pub excluded: usize,
    /// Not looked at: more than one question may cost.
    #[serde(default)]
    pub not_judged: usize,
}

impl From<Counts> for Counted {
    fn from(counts: Counts) -> Counted {
        let Counts { firing, pending, not_true, unknown, not_applicable, excluded, not_judged } =
            counts;
        Counted { firing, pending, not_true, unknown, not_applicable, excluded, not_judged }
    }
}

/// One rule for one subject as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// `job:<key>`, `source:<name>` or `cluster:<source>/<name>`.
    pub subject: String,
    /// The job's key, if it is one.
    pub job: Option<String>,
    /// Rule group.
    pub group: String,
    /// Alert name.
    pub alert: String,
    /// Severity word.
    pub severity: String,
    /// Name of the condition's kind.
    pub kind: String,
    /// Aspect of its incidents.
    pub aspect: String,
    /// `for`.
    pub for_seconds: u64,
    /// `keep_firing_for`.
    pub keep_firing_for_seconds: u64,
    /// `true`, `false`, `unknown` or `n/a`.
    pub truth: String,
    /// `inactive`, `pending` or `firing`.
    pub state: String,
    /// Since when it has been true, RFC 3339.
    pub since: Option<String>,
    /// When a pending alert fires if its condition is still true, RFC 3339.
    pub fires_at: Option<String>,
    /// Until when `keep_firing_for` holds what is not true any more, RFC 3339.
    pub kept_until: Option<String>,
    /// How near to true, 0 … 1, where that can be said.
    pub near: Option<f64>,
    /// What was judged; units are in the names.
    pub values: Evidence,
    /// What is so, and what would change it.
    pub words: String,
    /// The matcher that keeps the rule from this subject.
    pub excluded_by: Option<String>,
    /// The open incident its alert belongs to.
    pub incident: Option<OfIncident>,
}

/// The incident of an alert as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfIncident {
    /// Number.
    pub id: u64,
    /// `open` or `acknowledged`.
    pub state: String,
    /// The open incident that explains it and mutes its messages.
    pub inhibited_by: Option<u64>,
}

impl Item {
    fn at(now: Time, explained: &Explanation) -> Item {
        let wall = |steady: Ts| time(now.wall.shifted(steady.0.saturating_sub(now.steady.0)));
        let reason = &explained.reason;
        let (state, since, fires_at, kept_until) = match reason.standing {
            Standing::Inactive => ("inactive", None, None, None),
            Standing::Pending { since, fires_at } => ("pending", Some(since), fires_at, None),
            Standing::Firing { since, kept_until } => ("firing", Some(since), None, kept_until),
        };
        Item {
            subject: explained.subject.to_string(),
            job: explained.subject.job().map(|key| key.0.clone()),
            group: explained.rule.group.clone(),
            alert: explained.rule.alert.clone(),
            severity: explained.rule.severity.as_str().to_owned(),
            kind: explained.kind.to_owned(),
            aspect: explained.aspect.as_str().to_owned(),
            for_seconds: explained.hold.as_secs(),
            keep_firing_for_seconds: explained.keep_firing_for.as_secs(),
            truth: reason.truth.to_string(),
            state: state.to_owned(),
            since: since.and_then(wall),
            fires_at: fires_at.and_then(wall),
            kept_until: kept_until.and_then(wall),
            near: reason.why.near,
            values: reason.why.evidence.clone(),
            words: reason.why.words.clone(),
            excluded_by: reason.excluded_by.clone(),
            incident: explained.incident.map(|incident| OfIncident {
                id: incident.id,
                state: match incident.state {
                    IncidentState::Open => "open",
                    IncidentState::Acknowledged => "acknowledged",
                    IncidentState::Resolved => "resolved",
                }
                .to_owned(),
                inhibited_by: incident.inhibited_by,
            }),
        }
    }

    /// The subject without the word for what it is.
    pub fn name(&self) -> &str {
        self.subject.split_once(':').map_or(&self.subject, |(_, name)| name)
    }
}

impl From<&Answer> for Explained {
    fn from(answer: &Answer) -> Explained {
        Explained {
            at: time(answer.at.wall).unwrap_or_default(),
            counts: answer.counts.into(),
            schedule: None,
            explanations: answer.explanations.iter().map(|e| Item::at(answer.at, e)).collect(),
        }
    }
}

pub(super) async fn explain(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    raw: RawQuery,
) -> Result<Json<Explained>, ApiError> {
    let query = ListQuery::read(raw, &["job", "source", "rule", "limit"], &[])?;
    let job = caller.named_job(&shared.view(), query.job)?;
    let question =
        Question { job, source: query.source, rule: query.rule, limit: query.limit as usize };
    let about_a_job = question.job.is_some();
    let answer = shared.web.asker.explain(question).await?;
    let mut explained = Explained::from(&answer);
    if about_a_job {
        let view = shared.view();
        let key = answer.explanations.first().and_then(|of| of.subject.job());
        let job = key.and_then(|key| view.jobs.get(key));
        let schedule = job.and_then(|job| job.schedule.as_ref());
        explained.schedule = schedule.map(|schedule| schedule::Item::at(answer.at.wall, schedule));
    }
    Ok(Json(explained))
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> ApiError {
        use axum::http::StatusCode;
        let status = match &error {
            AskError::Busy | AskError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
            AskError::NotFound(crate::engine::NotFound::Ambiguous { .. }) => StatusCode::CONFLICT,
            AskError::NotFound(_) => StatusCode::NOT_FOUND,
        };
        ApiError::new(status, error.to_string())
    }
}
