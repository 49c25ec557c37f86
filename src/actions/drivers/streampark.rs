//! A job of StreamPark, started by StreamPark: jar, arguments and options are its own. A start is
//! asynchronous there: what is answered is whether it was taken.
//!
//! Two generations of the same call: `POST /openapi/app/start` since 2.1.5, `POST /flink/app/start`
//! before (`OpenAPIController.flinkStart`, `ApplicationController.start`). Each has its own names for
//! the same fields and ignores those of the other, and one that is not heard means a start from
//! nothing: so all of them are sent, always.
//!
//! `auto` offers an order to the newer call first and to the older one only after an answer that
//! says that nothing is behind the newer address: then nobody has heard of the order.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::console::{Console, Failure, Request, bounded, number, refused};
use super::examine::{Finding, Sight};
use super::flink_rest::cause;
use super::{BuildError, Driver, LookedUp, OfInventory, Order, Parts, Settings, Started, Traits};

const FORM: &str = "application/x-www-form-urlencoded";
/// StreamPark asks YARN before it takes an order.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A job that StreamPark starts as it knows it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Source of kind `streampark` that knows the job; its `api_url` and token are used.
    pub source: String,
    /// Which call StreamPark has. Default: `auto`.
    #[serde(default)]
    pub api: Api,
    /// Start although some state of the checkpoint belongs to no operator any more.
    #[serde(default)]
    pub allow_non_restored_state: bool,
    /// Longest time of one request, such as `1m`. Default: 1m.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

/// Which call to start a job StreamPark has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Whichever is there.
    #[default]
    Auto,
    /// `/openapi/app/start` of 2.1.5 and later.
    Openapi,
    /// `/flink/app/start` of 2.0.0 to 2.1.4.
    Legacy,
}

impl Settings for Config {
    fn traits(&self) -> Traits {
        Traits { inventory: true, ..Traits::default() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        if self.source.is_empty() {
            add("`source` is empty", "name the source of kind streampark that knows the job");
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            add("`timeout` is zero", "write a time such as 1m");
        }
        found
    }

    fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        let console = Console::new("streampark", &self.source, parts, AUTHORIZATION, timeout)?;
        if !console.has_token() {
            let way_out = console.token_place();
            return Err(BuildError(format!(
                "StreamPark starts nothing without a token ({way_out})"
            )));
        }
        Ok(Arc::new(Streampark { config: self.clone(), console }))
    }
}

struct Streampark {
    config: Config,
    console: Console,
}

/// One of the two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    New,
    Old,
}

impl Call {
    fn path(self) -> &'static str {
        match self {
            Call::New => "/openapi/app/start",
            Call::Old => "/flink/app/start",
        }
    }

    fn missing(self) -> &'static str {
        match self {
            Call::New => {
                "StreamPark has no /openapi/app/start (it came with 2.1.5: write `api: auto`, and \
                 check `api_url`)"
            }
            Call::Old => "StreamPark has no /flink/app/start (write `api: auto`, check `api_url`)",
        }
    }
}

/// What an answer tells.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// Nothing is behind this address: nobody has heard of the order.
    Nobody,
    /// It is decided.
    Started(Started),
}

impl Streampark {
    async fn begin(&self, order: &Order) -> Result<Started, Started> {
        let entry = self.console.entry(order)?;
        let body = form(order, entry, self.config.allow_non_restored_state);
        let call = match self.config.api {
            Api::Auto | Api::Openapi => Call::New,
            Api::Legacy => Call::Old,
        };
        match self.send(call, body.clone()).await? {
            Heard::Started(started) => return Ok(started),
            Heard::Nobody if self.config.api != Api::Auto => return Err(refused(call.missing())),
            Heard::Nobody => {}
        }
        match self.send(Call::Old, body).await? {
            Heard::Started(started) => Ok(started),
            Heard::Nobody => Err(refused(
                "StreamPark has neither /openapi/app/start nor /flink/app/start (check `api_url`)",
            )),
        }
    }

    /// Asks for a list that no token of the API may see in newer versions: the refusal is in
    /// StreamPark's own words, and comes after it has looked at the token.
    async fn look_over(&self) -> Finding {
        let token = self.console.token().await.map_err(|failure| failure.error)?;
        let body = Some((FORM, "pageNum=1&pageSize=1".to_owned()));
        let path = "/flink/app/list".to_owned();
        let asked = self.console.ask(Request { method: Method::POST, path, body }, token.as_ref());
        let answer = asked.await.map_err(|failure| failure.error)?;
        welcome(answer.status, &answer.body, &self.console.token_place())
    }

    async fn send(&self, call: Call, body: String) -> Result<Heard, Started> {
        let token = self.console.token().await.map_err(Failure::started)?;
        let body = Some((FORM, body));
        let request = Request { method: Method::POST, path: call.path().to_owned(), body };
        let asked = self.console.ask(request, token.as_ref()).await;
        let answer = asked.map_err(Failure::started)?;
        Ok(judge(answer.status, &answer.body, &self.console.token_place()))
    }
}

/// The order in the words of every generation. The path is never left to StreamPark: its own latest
/// one is empty after a job was lost.
fn form(order: &Order, entry: &OfInventory, allow_non_restored: bool) -> String {
    let word = |is: bool| if is { "true" } else { "false" };
    let restores = word(order.from.is_some());
    let mut fields = vec![
        ("id", entry.id.as_str()),
        ("allowNonRestored", word(allow_non_restored)),
        // Since 2.1.5: the first for a token of the API, the second for one of a person.
        ("restoreFromSavepoint", restores),
        ("restoreOrTriggerSavepoint", restores),
        // Up to 2.1.4.
        ("savePointed", restores),
    ];
    if let Some(team) = &entry.team_id {
        fields.push(("teamId", team));
    }
    if let Some(path) = &order.from {
        fields.push(("savepointPath", path));
        fields.push(("savePoint", path));
    }
    let url = Url::parse_with_params("http://form/", fields);
    url.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

#[derive(Deserialize)]
struct Answer {
    /// A word of StreamPark's; a number of the web server's own errors.
    #[serde(default)]
    status: Value,
    #[serde(default, deserialize_with = "number")]
    code: Option<i64>,
    message: Option<String>,
    #[serde(default)]
    data: Value,
}

/// What an answer tells. Only what is known to have been refused before anything was submitted is
/// a refusal: up to 2.1.7 the start is one transaction, and its commit comes after the submission.
fn judge(status: u16, body: &[u8], token_place: &str) -> Heard {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let said = answer.as_ref().and_then(|a| a.message.as_deref()).unwrap_or_default();
    let code = answer.as_ref().and_then(|a| a.code);
    if status == 401 || code == Some(401) {
        return ended(refused(&of_token(said, token_place)));
    }
    if matches!(status, 404 | 405) || is_of_no_handler(said) {
        return Heard::Nobody;
    }
    let word = answer.as_ref().and_then(|answer| answer.status.as_str());
    match (word, status) {
        (Some("success"), 200..300) => match answer.as_ref().and_then(|a| a.data.as_bool()) {
            Some(true) => ended(Started::Accepted { job_id: None }),
            Some(false) => ended(refusal(said)),
            _ => unclear("StreamPark answered without saying whether it took the order"),
        },
        (Some("error"), _) => ended(refusal(said)),
        // Turned away by the web server or something before it.
        (_, 400..500) => {
            let said = bounded(&String::from_utf8_lossy(body));
            ended(refused(&format!("StreamPark answered {status}: {said} (check `api_url`)")))
        }
        _ => {
            let said = bounded(&String::from_utf8_lossy(body));
            unclear(&format!(
                "StreamPark answered {status}, and not in its own words: {said} (check `api_url`, \
                 and whether it is a login page or a proxy)"
            ))
        }
    }
}

fn of_token(said: &str, token_place: &str) -> String {
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    bounded(&format!("StreamPark refuses the token{said} ({token_place})"))
}

/// Whether StreamPark knows who asks, from an answer to anything.
fn welcome(status: u16, body: &[u8], token_place: &str) -> Finding {
    let answer: Option<Answer> = serde_json::from_slice(body).ok();
    let said = answer.as_ref().and_then(|a| a.message.as_deref()).unwrap_or_default();
    let code = answer.as_ref().and_then(|a| a.code);
    if status == 401 || code == Some(401) {
        return Err(of_token(said, token_place));
    }
    let word = answer.as_ref().and_then(|answer| answer.status.as_str());
    if matches!(word, Some("success" | "error")) {
        return Ok("StreamPark answers, and takes the token".to_owned());
    }
    let said = bounded(&String::from_utf8_lossy(body));
    Err(bounded(&format!(
        "StreamPark answered {status}, and not in its own words (check `api_url`, and whether it is a \
         login page or a proxy): {said}"
    )))
}

fn ended(started: Started) -> Heard {
    Heard::Started(started)
}

fn unclear(error: &str) -> Heard {
    ended(Started::Unclear { error: bounded(error) })
}

/// Spring's errors for an address that nothing is behind.
fn is_of_no_handler(said: &str) -> bool {
    [
        "HttpRequestMethodNotSupportedException",
        "NoHandlerFoundException",
        "NoResourceFoundException",
    ]
    .iter()
    .any(|name| said.contains(name))
}

/// What an error in StreamPark's own words means.
fn refusal(said: &str) -> Started {
    let lower = said.to_ascii_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if has(&["cannot be started repeatedly", "already running in the yarn queue"]) {
        let seen = format!(
            "StreamPark: {said} (if the job is dead all the same, StreamPark has not noticed: see \
             its state there)"
        );
        return Started::Alive { seen: bounded(&seen) };
    }
    let what = format!("StreamPark: {}", cause(said));
    if has(&["openapi unsupported"]) {
        return refused(&format!("{what} (it is 2.1.5 or later: write `api: auto`)"));
    }
    if has(&["el1008e"]) {
        let hint = "2.1.5 to 2.1.7 cannot check a person's rights here: use the token of an admin";
        return refused(&format!("{what} ({hint})"));
    }
    if has(&["org.apache.shiro"]) || lower.starts_with("permission denied") {
        return refused(&format!("{what} (the token's owner may not start this job)"));
    }
    let unclear = if lower.starts_with("internal server error") {
        !is_thrown_by_start(said)
    } else {
        // The commit of a start that was submitted, in whichever words of the database.
        lower.trim().is_empty() || has(&["commit", "transaction", "rolled back", "rollback"])
    };
    if unclear { Started::Unclear { error: bounded(&what) } } else { refused(&what) }
}

/// Whether a stack trace comes from the start itself, whose last deed is the submission. The proxy
/// around it, which commits afterwards, has the same name and no line of a file.
fn is_thrown_by_start(trace: &str) -> bool {
    let is_frame = |line: &str| {
        line.split_once("ServiceImpl.start(").is_some_and(|(_, place)| place.contains(".java:"))
    };
    trace.lines().any(is_frame) && !trace.contains("CompletableFuture")
}

impl Driver for Streampark {
    fn start<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Started> {
        self.begin(order).map(|begun| begun.unwrap_or_else(|ended| ended)).boxed()
    }

    fn examine<'a>(&'a self, jobs: &'a [Sight]) -> BoxFuture<'a, Vec<Finding>> {
        async move {
            let mut found = vec![self.look_over().await];
            found.extend(self.console.strangers(jobs).map(Err));
            found
        }
        .boxed()
    }

    /// StreamPark chooses the id of a run, and shows it to no token of its API.
    fn look_up<'a>(&'a self, _order: &'a Order) -> BoxFuture<'a, LookedUp> {
        std::future::ready(LookedUp::Never).boxed()
    }
}

#[cfg(test)]
#[path = "streampark_tests.rs"]
mod tests;
