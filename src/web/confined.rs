//! Tokens with matchers: who has one sees, and may change, what belongs to its jobs, and nothing
//! else. What is not on the list here is refused, so that what is added later is shut to them until
//! somebody has thought about it.

use axum::http::{Method, StatusCode};

use super::error::ApiError;
use super::{Caller, Shared};
use crate::engine::{View, key_among};
use crate::model::{Incident, JobKey, Labels, Matcher, Silence, matches_all};
use crate::store::{Page, Traced};

/// Rows looked at for one page; then the page ends early.
pub(super) const SCANNED: usize = 20_000;
/// Rows of the store at once.
pub(super) const AT_ONCE: u32 = 1_000;

/// What may be read, cut down to what the caller sees; `*` is any one segment.
const READ: [&str; 15] = [
    "incidents",
    "incidents/*",
    "incidents/*/events",
    "incidents/*/record",
    "jobs",
    "silences",
    "explain",
    "routes",
    "notices",
    "notices/why",
    "messages",
    "sources",
    "status",
    "restarts",
    "checkpoints",
];
/// What may be commanded, about what the caller sees.
const CHANGED: [&str; 10] = [
    "incidents/*/ack",
    "incidents/*/unack",
    "incidents/*/close",
    "jobs/*/retire",
    "silences",
    "silences/*",
    "restarts",
    "restarts/decline",
    "restarts/*/approve",
    "restarts/*/decline",
];

impl Caller {
    /// It sees some jobs only.
    pub(super) fn is_confined(&self) -> bool {
        !self.only.is_empty()
    }

    /// Whether what has these labels is its own.
    pub(super) fn sees(&self, labels: &Labels) -> bool {
        matches_all(&self.only, labels)
    }

    /// Whether it is about nothing but its own; who is not confined sees all.
    pub(super) fn sees_silence(&self, silence: &Silence, view: &View) -> bool {
        if self.may_end(silence) {
            return true;
        }
        let hit = view.jobs.values().filter(|job| matches_all(&silence.matchers, &job.labels));
        let mut hit = hit.map(|job| self.sees(&job.labels)).peekable();
        hit.peek().is_some() && hit.all(|own| own)
    }

    /// Whether a silence can hit nothing but its own, whatever jobs there will be.
    pub(super) fn may_end(&self, silence: &Silence) -> bool {
        self.only.iter().all(|own| silence.matchers.contains(own))
    }

    /// Its matchers as people write them.
    pub(super) fn confines(&self) -> String {
        let all: Vec<&str> = self.only.iter().map(|matcher| matcher.text.as_str()).collect();
        all.join(" ")
    }

    /// The answer where something is not about single jobs.
    pub(super) fn sees_too_little(&self) -> ApiError {
        let error = format!(
            "token `{}` is for {} only, and this is about the whole of weir; use a token without \
             matchers",
            self.name,
            self.confines()
        );
        ApiError::new(StatusCode::FORBIDDEN, error)
    }

    /// The key of the one job meant, among those it sees; as typed where it sees all, since then the
    /// engine knows best.
    pub(super) fn job(&self, view: &View, typed: String) -> Result<String, ApiError> {
        if !self.is_confined() {
            return Ok(typed);
        }
        let own = view.jobs.values().filter(|job| self.sees(&job.labels));
        let keys: Vec<&str> = own.map(|job| job.key.0.as_str()).collect();
        key_among(&keys, &typed).map_err(|error| crate::engine::AskError::from(error).into())
    }

    /// The same where a confined caller has to name one.
    pub(super) fn named_job(
        &self,
        view: &View,
        typed: Option<String>,
    ) -> Result<Option<String>, ApiError> {
        match typed {
            Some(typed) => self.job(view, typed).map(Some),
            None if self.is_confined() => {
                let error = format!(
                    "token `{}` is for {} only; say which of its jobs is meant: ?job=",
                    self.name,
                    self.confines()
                );
                Err(ApiError::new(StatusCode::FORBIDDEN, error))
            }
            None => Ok(None),
        }
    }

    /// Whether it sees what a notice is about; of what is no longer kept nobody knows.
    pub(super) fn sees_traced(&self, traced: &Traced) -> bool {
        !self.is_confined() || traced.incident.as_ref().is_some_and(|i| self.sees(&i.labels))
    }

    /// The matchers a silence of its own needs beside those it wants.
    pub(super) fn missing(&self, wanted: &[String]) -> Vec<String> {
        let given: Vec<Matcher> = wanted.iter().flat_map(|text| Matcher::parse(text)).collect();
        let missing = self.only.iter().filter(|own| !given.contains(own));
        missing.map(|own| own.text.clone()).collect()
    }

    /// Whether it sees a job.
    pub(super) fn sees_job(&self, view: &View, key: &str) -> bool {
        let job = view.jobs.get(&JobKey(key.to_owned()));
        job.is_some_and(|job| self.sees(&job.labels))
    }
}

/// Whether a confined caller may go to this address at all.
pub(super) fn may_pass(method: &Method, path: &str) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if matches!(path, "/" | "/-/healthy" | "/-/ready") {
        return reads;
    }
    let Some(asked) = path.strip_prefix("/api/v1/") else { return false };
    let open: &[&str] = if reads { &READ } else { &CHANGED };
    open.iter().any(|known| is_like(asked, known))
}

fn is_like(path: &str, known: &str) -> bool {
    let mut asked = path.split('/');
    let fits = known.split('/').all(|k| asked.next().is_some_and(|a| a == k || k == "*"));
    fits && asked.next().is_none()
}

/// An incident the caller sees; of another it is not even said that it is there.
pub(super) async fn incident(
    shared: &Shared,
    caller: &Caller,
    number: u64,
) -> Result<Incident, ApiError> {
    let page = Page { limit: 1, incident: Some(number), ..Page::default() };
    let found = shared.web.store.incidents(&page).await?.into_iter().next();
    found.filter(|incident| caller.sees(&incident.labels)).ok_or_else(|| {
        ApiError::not_found(format!("no incident #{number}; it may be older than store.retention"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::Scope;

    fn caller(matchers: &[&str]) -> Caller {
        let only = matchers.iter().map(|text| Matcher::parse(text).unwrap()).collect();
        Caller { name: "ads".to_owned(), scope: Scope::Operate, local: false, only }
    }

    #[test]
    fn what_is_not_named_is_shut() {
        for (method, path, open) in [
            (Method::GET, "/", true),
            (Method::GET, "/-/healthy", true),
            (Method::GET, "/metrics", false),
            (Method::POST, "/-/reload", false),
            (Method::GET, "/api/v1/jobs", true),
            (Method::GET, "/api/v1/incidents/7/record", true),
            (Method::POST, "/api/v1/incidents/7/ack", true),
            (Method::DELETE, "/api/v1/silences/7", true),
            (Method::POST, "/api/v1/jobs/orders/retire", true),
            (Method::GET, "/api/v1/report", false),
            (Method::GET, "/api/v1/history", false),
            (Method::GET, "/api/v1/rules", false),
            (Method::POST, "/api/v1/messages", false),
            (Method::GET, "/api/v1/whatever", false),
            (Method::POST, "/api/v2/alerts", false),
            (Method::POST, "/api/v1/incidents/7/whatever", false),
            (Method::GET, "/api/v1/incidents/7/whatever", false),
            (Method::GET, "/api/v1/jobsx", false),
            (Method::GET, "/api/v1//metrics", false),
        ] {
            assert_eq!(may_pass(&method, path), open, "{method} {path}");
        }
    }

    #[test]
    fn a_silence_gets_the_matchers_that_confine_it() {
        let ads = caller(&["team=\"ads\"", "env=prod"]);
        assert_eq!(ads.missing(&[]), ["team=\"ads\"", "env=prod"]);
        // However they are written.
        assert_eq!(ads.missing(&["team=ads".to_owned(), "job_name=x".to_owned()]), ["env=prod"]);
        assert_eq!(ads.missing(&["team!=ads".to_owned()]).len(), 2);
        assert_eq!(caller(&[]).missing(&[]), [""; 0]);
        assert!(ads.sees(&Labels::from([("team", "ads"), ("env", "prod")])));
        assert!(!ads.sees(&Labels::from([("team", "ads")])));
        assert!(caller(&[]).sees(&Labels::default()), "who is not confined sees all");
    }
}
