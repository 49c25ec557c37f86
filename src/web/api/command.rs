//! Commands over HTTP: who gives them, under which id, and what came of them.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::CommandError;
use crate::model::{Action, Command, Hits, Refusal, Reply};
use crate::web::error::ApiError;
use crate::web::{Caller, Scope, Shared};

/// Nobody waits longer for a reply.
const WAIT: Duration = Duration::from_secs(10);
/// Longest id, name and comment, in characters.
const LONGEST_ID: usize = 100;
const LONGEST_NAME: usize = 100;
const LONGEST_COMMENT: usize = 1_000;

/// What every command takes beside what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// Chosen by who asks: given again, nothing is done again. Without one, each time is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why; for the timeline.
    pub comment: String,
    /// Who, where no token says so.
    pub by: String,
}

/// What came of a command, as the API says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The id it was given under.
    pub id: String,
    /// In words.
    pub said: String,
    /// False where it was so already.
    pub changed: bool,
    /// It had been done before under this id.
    pub repeated: bool,
    /// The incident it was about.
    #[serde(default)]
    pub incident: Option<u64>,
    /// Key of the job it was about.
    #[serde(default)]
    pub job: Option<String>,
    /// The silence it made or ended.
    #[serde(default)]
    pub silence: Option<u64>,
    /// What a silence hits.
    #[serde(default)]
    pub hits: Option<Hits>,
    /// The restart it was about.
    #[serde(default)]
    pub restart: Option<u64>,
    /// What holds a restart, or would: the guard and words for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<(String, String)>,
}

/// Reads a body; none at all is an empty one.
pub(super) fn body<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    bytes: &Bytes,
) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return Ok(T::default());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim_start().starts_with("application/json")) {
        let error = "the body is not json; send `Content-Type: application/json`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))
}

impl Order {
    /// Bounds what it says and takes out what would only disturb those who read it.
    pub(super) fn tidy(mut self) -> Result<Order, ApiError> {
        for (name, text, longest) in [
            ("id", self.id.as_mut(), LONGEST_ID),
            ("by", Some(&mut self.by), LONGEST_NAME),
            ("comment", Some(&mut self.comment), LONGEST_COMMENT),
        ] {
            let Some(text) = text else { continue };
            *text = one_line(text);
            if text.chars().count() > longest {
                return Err(ApiError::bad_request(format!(
                    "{name} is longer than {longest} characters"
                )));
            }
        }
        self.id = self.id.filter(|id| !id.is_empty());
        Ok(self)
    }
}

fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.trim().to_owned()
}

/// Gives a command to the engine and waits for its reply, which comes after the commit.
pub(in crate::web) async fn give(
    shared: &Shared,
    caller: &Caller,
    order: Order,
    what: impl FnOnce(String) -> Action,
) -> Result<Done, ApiError> {
    if caller.scope < Scope::Operate {
        return Err(caller.may_only_read());
    }
    let Order { id, comment, by } = order.tidy()?;
    let actor = if caller.is_local() && !by.is_empty() { by } else { caller.name.clone() };
    let id = id.unwrap_or_else(any_id);
    let reply = pass(shared, Command { id: id.clone(), actor, what: what(comment) }).await?;
    let Reply { said, changed, incident, job, repeated, silence, hits, .. } = reply;
    let Reply { restart, holds, .. } = reply;
    Ok(Done { id, said, changed, repeated, incident, job, silence, hits, restart, holds })
}

/// Hands a command of somebody who may give it to the engine, and waits for its reply.
pub(in crate::web) async fn pass(shared: &Shared, command: Command) -> Result<Reply, ApiError> {
    if let Some(error) = &shared.health().store_error {
        let text = format!("the store cannot be written, and nothing changes until then: {error}");
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    let id = command.id.clone();
    let given = shared.web.commander.give(command);
    let Ok(replied) = tokio::time::timeout(WAIT, given).await else {
        let why = shared.health().store_error.clone();
        let why = why.map(|error| format!(": the store cannot be written: {error}"));
        let text = format!(
            "there is no answer yet{}; ask again with the id `{id}`, and it is done once",
            why.unwrap_or_default()
        );
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    Ok(replied?)
}

/// An id nobody else has; only for those who do not choose one.
fn any_id() -> String {
    let random = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("api-{:016x}{:016x}", random(), random())
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> ApiError {
        let status = match &error {
            CommandError::Busy | CommandError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
            CommandError::Refused(Refusal::NotFound(_)) => StatusCode::NOT_FOUND,
            CommandError::Refused(Refusal::Conflict(_)) => StatusCode::CONFLICT,
            CommandError::Refused(Refusal::Invalid(_)) => StatusCode::BAD_REQUEST,
        };
        ApiError::new(status, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_bounded_and_one_line() {
        let order = |id: &str, comment: &str| Order {
            id: Some(id.to_owned()),
            comment: comment.to_owned(),
            by: "\u{1b}[31mme".to_owned(),
        };
        let tidy = order("", " a\nb\t").tidy().unwrap();
        assert_eq!((tidy.id, tidy.comment.as_str(), tidy.by.as_str()), (None, "a b", "[31mme"));
        assert!(order(&"x".repeat(100), &"作".repeat(1_000)).tidy().is_ok());
        assert!(order(&"x".repeat(101), "").tidy().is_err());
        assert!(order("x", &"作".repeat(1_001)).tidy().is_err());
        assert_ne!(any_id(), any_id());
    }

    #[test]
    fn a_body_is_json_or_nothing() {
        let mut headers = HeaderMap::new();
        let read = |headers: &HeaderMap, text: &'static str| {
            body::<Order>(headers, &Bytes::from_static(text.as_bytes()))
        };
        assert_eq!(read(&headers, ""), Ok(Order::default()));
        assert!(read(&headers, "{}").is_err(), "a form of another site could say that");
        headers.insert(header::CONTENT_TYPE, "application/json; charset=utf-8".parse().unwrap());
        assert_eq!(read(&headers, "{\"comment\":\"x\"}").unwrap().comment, "x");
        assert!(read(&headers, "{\"commment\":\"x\"}").is_err());
    }
}
