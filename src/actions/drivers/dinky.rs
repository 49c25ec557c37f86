//! A task of Dinky, submitted by Dinky: statement, cluster and options are its own.
//!
//! `POST /openapi/submitTask` (1.0 and later), never `restartTask`, which cancels what it finds
//! running. Dinky submits whatever it is told to, also a task that runs: so the task's newest run is
//! looked at just before, and with it address, token and number. What fails after that may have been
//! submitted: Dinky answers alike whether Flink never heard of a job or did not answer in time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::Method;
use reqwest::header::HeaderName;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::console::{Console, Failure, Request, bounded, number, refused};
use super::examine::{Finding, Sight};
use super::flink_rest::cause;
use super::{BuildError, Driver, LookedUp, Order, Parts, Settings, Started, Traits};
use crate::http::one_line;

/// Dinky answers when the cluster has taken the job, or has been brought up for it.
const TIMEOUT: Duration = Duration::from_mins(3);
/// Name of Sa-Token's header in Dinky's own configuration.
const HEADER: &str = "dinky-token";

/// A task that Dinky submits as it knows it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Source of kind `dinky` that knows the job; its `api_url` and, where it has one, its token
    /// are used.
    pub source: String,
    /// Without a checkpoint, submit the task by its own savepoint strategy. Default: such an order
    /// is refused, for Dinky cannot be told to start from nothing.
    #[serde(default)]
    pub own_strategy: bool,
    /// Header of the token, `sa-token.token-name` of Dinky. Default: `dinky-token`.
    pub token_header: Option<String>,
    /// Longest time of one request, such as `3m`: a submission may bring up a cluster. Default: 3m.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

impl Config {
    fn header(&self) -> Result<HeaderName, String> {
        let name = self.token_header.as_deref().unwrap_or(HEADER);
        HeaderName::try_from(name).map_err(|_| format!("`token_header` is no header: {name:?}"))
    }
}

impl Settings for Config {
    fn traits(&self) -> Traits {
        Traits { inventory: true, ..Traits::default() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        if self.source.is_empty() {
            add("`source` is empty", "name the source of kind dinky that knows the job");
        }
        if let Err(what) = self.header() {
            add(&what, "write `sa-token.token-name` of Dinky, or leave it out for dinky-token");
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            add("`timeout` is zero", "write a time such as 3m");
        }
        found
    }

    fn build(&self, parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        let header = self.header().map_err(BuildError)?;
        let console = Console::new("dinky", &self.source, parts, header, timeout)?;
        Ok(Arc::new(Dinky { own_strategy: self.own_strategy, console }))
    }
}

struct Dinky {
    own_strategy: bool,
    console: Console,
}

/// Every answer of Dinky's (`Result`), also to a failure, which has HTTP status 200.
#[derive(Deserialize)]
struct Answer {
    #[serde(default, deserialize_with = "number")]
    code: Option<i64>,
    msg: Option<String>,
    success: Option<bool>,
    #[serde(default)]
    data: Value,
}

/// `CodeEnum` of Dinky.
const SUCCESS: i64 = 0;
const PARAMS_ERROR: i64 = 6;
const AUTHORIZE_ERROR: i64 = 7;

impl Dinky {
    async fn begin(&self, order: &Order) -> Result<Started, Started> {
        let entry = self.console.entry(order)?;
        let Ok(id) = entry.id.parse::<u64>() else {
            let source = self.console.source();
            return Err(refused(&format!("{:?} is no number of a task of `{source}`", entry.id)));
        };
        if order.from.is_none() && !self.own_strategy {
            return Err(refused(
                "Dinky cannot be told to start from nothing, it would go by the task's own \
                 savepoint strategy (start it there, or set `own_strategy: true`)",
            ));
        }
        let token = self.console.token().await.map_err(Failure::started)?;
        let newest = self.newest_run(id, token.as_ref()).await.map_err(|error| refused(&error))?;
        if let Some(seen) = alive(&newest, order.dead.as_deref()) {
            return Err(Started::Alive { seen });
        }
        let mut body = json!({ "id": id });
        if let Some(path) = &order.from {
            body["savePointPath"] = json!(path);
        }
        let body = Some(("application/json", body.to_string()));
        let path = "/openapi/submitTask".to_owned();
        let request = Request { method: Method::POST, path, body };
        let asked = self.console.ask(request, token.as_ref()).await;
        let answer = asked.map_err(Failure::started)?;
        Ok(judge(answer.status, &answer.body, &self.console.token_place()))
    }

    /// The newest run of a task, as Dinky knows it. Whatever goes wrong here, nothing was ordered.
    async fn newest_run(&self, id: u64, token: Option<&SecretString>) -> Result<Value, String> {
        let path = format!("/openapi/getJobInstanceByTaskId?id={id}");
        let request = Request { method: Method::GET, path, body: None };
        let answer = self.console.ask(request, token).await.map_err(|failure| failure.error)?;
        let said: Option<Answer> = serde_json::from_slice(&answer.body).ok();
        if let Some(error) = of_token(answer.status, said.as_ref(), &self.console.token_place()) {
            return Err(error);
        }
        let (status, excerpt) =
            (answer.status, one_line(&String::from_utf8_lossy(&answer.body), 120));
        match said {
            Some(Answer { code: Some(SUCCESS), data, .. }) if status < 300 => Ok(data),
            Some(Answer { code: Some(code), msg, .. }) => {
                let msg = cause(&msg.unwrap_or_default());
                Err(format!("Dinky does not show task {id}: {msg} (code {code})"))
            }
            _ => Err(format!(
                "Dinky answered {status}, and not in its own words: {excerpt} (check `api_url`: its \
                 open interface came with 1.0)"
            )),
        }
    }
}

impl Dinky {
    /// Asks for the run of a task that is none.
    async fn look_over(&self) -> Finding {
        let token = self.console.token().await.map_err(|failure| failure.error)?;
        let path = "/openapi/getJobInstanceByTaskId?id=0".to_owned();
        let asked =
            self.console.ask(Request { method: Method::GET, path, body: None }, token.as_ref());
        let answer = asked.await.map_err(|failure| failure.error)?;
        welcome(answer.status, &answer.body, &self.console)
    }
}

/// Whether Dinky takes whoever asks, from an answer to anything.
fn welcome(status: u16, body: &[u8], console: &Console) -> Finding {
    let said: Option<Answer> = serde_json::from_slice(body).ok();
    if let Some(error) = of_token(status, said.as_ref(), &console.token_place()) {
        return Err(error);
    }
    if said.as_ref().is_some_and(|said| said.code.is_some()) {
        let how = if console.has_token() { "and takes the token" } else { "and wants no token" };
        return Ok(format!("Dinky answers, {how}"));
    }
    let excerpt = one_line(&String::from_utf8_lossy(body), 120);
    Err(format!(
        "Dinky answered {status}, and not in its own words (check `api_url`: its open interface came \
         with 1.0): {excerpt}"
    ))
}

/// What speaks against a start: a run of the task that is not over. What Dinky has lost sight of
/// (`RECONNECTING`, `UNKNOWN`) says nothing about a run that is known to be dead.
fn alive(newest: &Value, dead: Option<&str>) -> Option<String> {
    let state = newest["status"].as_str()?;
    let id = newest["jid"].as_str().unwrap_or_default();
    let is_dead = dead.is_some_and(|dead| dead == id);
    let over = match state {
        "FAILED" | "CANCELED" | "FINISHED" | "UNKNOWN" => true,
        "RECONNECTING" => is_dead,
        _ => false,
    };
    let hint =
        if is_dead { " (if it is dead all the same, Dinky has not noticed yet)" } else { "" };
    (!over).then(|| bounded(&format!("Dinky shows run {id} of it as {state}{hint}")))
}

/// A token that is not accepted, in either of Dinky's ways to say so.
fn of_token(status: u16, said: Option<&Answer>, place: &str) -> Option<String> {
    let refused = status == 401 || said.and_then(|said| said.code) == Some(AUTHORIZE_ERROR);
    let msg = said.and_then(|said| said.msg.as_deref()).unwrap_or_default();
    refused.then(|| bounded(&format!("Dinky refuses the token: {msg} ({place})")))
}

/// What the answer to an order tells.
fn judge(status: u16, body: &[u8], token_place: &str) -> Started {
    let said: Option<Answer> = serde_json::from_slice(body).ok();
    if let Some(error) = of_token(status, said.as_ref(), token_place) {
        return refused(&error);
    }
    let Some(said) = said else {
        let excerpt = one_line(&String::from_utf8_lossy(body), 160);
        let what = format!("Dinky answered {status}, and not in its own words: {excerpt}");
        // Turned away by the web server or something before it.
        return if (400..500).contains(&status) { refused(&what) } else { unclear(&what) };
    };
    let msg = said.msg.unwrap_or_default();
    if status < 300 && said.code == Some(SUCCESS) && said.success != Some(false) {
        let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let job_id = said.data["jobId"].as_str().filter(is_id).map(str::to_owned);
        return Started::Accepted { job_id };
    }
    let what = format!("Dinky: {}", cause(&msg));
    // Of the request itself, so that no task was looked at.
    let unheard = said.code == Some(PARAMS_ERROR)
        || (400..500).contains(&status)
        || msg.contains("Request method 'POST' not supported");
    if unheard { refused(&what) } else { unclear(&what) }
}

fn unclear(what: &str) -> Started {
    let tail = " (whether Flink has taken the job Dinky does not say)";
    Started::Unclear { error: format!("{}{tail}", one_line(what, 240)) }
}

impl Driver for Dinky {
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

    /// A run of Dinky's bears no mark of who has ordered it.
    fn look_up<'a>(&'a self, _order: &'a Order) -> BoxFuture<'a, LookedUp> {
        std::future::ready(LookedUp::Never).boxed()
    }
}

#[cfg(test)]
#[path = "dinky_tests.rs"]
mod tests;
