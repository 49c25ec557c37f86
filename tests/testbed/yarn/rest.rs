//! The REST API of a `ResourceManager` as the tests need it: raw JSON, redirects not followed.

use anyhow::{Context as _, Result, ensure};
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use super::super::{http, tools};

/// One `ResourceManager`'s web address.
#[derive(Debug, Clone)]
pub(crate) struct YarnRest {
    base: String,
    client: reqwest::Client,
}

impl YarnRest {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), client: http::client_that_stays() }
    }

    /// The address, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    async fn send(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
        let request = request.header(ACCEPT, "application/json");
        let response = request.send().await.with_context(|| format!("no answer for {path}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| format!("half an answer for {path}"))?;
        ensure!(status.is_success(), "{path} answered {status}: {}", tools::tail(&text, 20));
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{path} is not JSON: {text}"))
    }

    /// GET a path below `/ws/v1/cluster`.
    ///
    /// # Errors
    /// When there is no answer, or not a good one.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}/ws/v1/cluster{path}", self.base);
        self.send(path, self.client.get(url)).await
    }

    /// `ACTIVE`, `STANDBY`, …
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn ha_state(&self) -> Result<String> {
        let info = self.get("/info").await?;
        let state = info["clusterInfo"]["haState"].as_str().context("no haState")?;
        Ok(state.to_owned())
    }

    /// All applications it knows of the type Flink's have.
    ///
    /// # Errors
    /// When it does not answer, or not as a `ResourceManager` does.
    pub(crate) async fn flink_apps(&self) -> Result<Vec<Value>> {
        let answer = self.get("/apps?applicationTypes=Apache%20Flink").await?;
        Ok(list(&answer.get("apps").context("no apps")?["app"]))
    }

    /// One application.
    ///
    /// # Errors
    /// When it does not answer or does not know the application.
    pub(crate) async fn app(&self, id: &str) -> Result<Value> {
        let mut answer = self.get(&format!("/apps/{id}")).await?;
        Ok(answer["app"].take())
    }

    /// The container of an application's newest attempt.
    ///
    /// # Errors
    /// When it has none.
    pub(crate) async fn master_container(&self, id: &str) -> Result<String> {
        let answer = self.get(&format!("/apps/{id}/appattempts")).await?;
        let attempts = list(&answer["appAttempts"]["appAttempt"]);
        let newest = attempts.iter().max_by_key(|attempt| attempt["id"].as_u64());
        let container = newest.and_then(|attempt| attempt["containerId"].as_str());
        let container = container.filter(|id| !id.is_empty());
        Ok(container.with_context(|| format!("no container of {id} in {answer}"))?.to_owned())
    }

    /// Orders an application's end as `yarn application -kill` does, and does not wait for it.
    ///
    /// # Errors
    /// When it refuses.
    pub(crate) async fn kill(&self, id: &str, user: &str) -> Result<()> {
        let url = format!("{}/ws/v1/cluster/apps/{id}/state?user.name={user}", self.base);
        let request = self.client.put(url).json(&json!({ "state": "KILLED" }));
        self.send("/apps/…/state", request).await?;
        Ok(())
    }

    /// Submits one shell command as an application of Flink's type, and returns its id. It never
    /// registers: it waits in `ACCEPTED` for room in its queue, then until it ends or is given up.
    ///
    /// # Errors
    /// When it refuses.
    pub(crate) async fn submit_command(&self, app: &Command<'_>) -> Result<String> {
        let url = |path: &str| format!("{}/ws/v1/cluster{path}?user.name={}", self.base, app.user);
        let path = "/apps/new-application";
        let answer = self.send(path, self.client.post(url(path))).await?;
        let id = answer["application-id"].as_str().context("no application-id")?.to_owned();
        let request = json!({
            "application-id": id,
            "application-name": app.name,
            "application-type": "Apache Flink",
            "queue": app.queue,
            "max-app-attempts": 1,
            "resource": { "memory": app.memory_mb, "vCores": 1 },
            "am-container-spec": { "commands": { "command": app.line } },
        });
        self.send("/apps", self.client.post(url("/apps")).json(&request)).await?;
        Ok(id)
    }
}

/// Writers of JSON that come from XML put a list of one as its one member.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(members) => members.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// A command that is submitted as if it were Flink.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command<'a> {
    pub(crate) name: &'a str,
    pub(crate) user: &'a str,
    pub(crate) queue: &'a str,
    pub(crate) memory_mb: u32,
    pub(crate) line: &'a str,
}
