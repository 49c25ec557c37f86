//! Flink's REST API as the tests need it: raw JSON, and errors with the answer's text.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{http, time, tools};

/// The REST endpoint of one `JobManager`.
#[derive(Debug, Clone)]
pub(crate) struct FlinkRest {
    base: String,
    client: reqwest::Client,
}

impl FlinkRest {
    pub(crate) fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), client: http::client() }
    }

    /// The address, without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// GET a path such as `/jobs/overview`.
    ///
    /// # Errors
    /// When there is no answer, or not a good one.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.send(path, self.client.get(format!("{}{path}", self.base))).await
    }

    /// POST a JSON body.
    ///
    /// # Errors
    /// When there is no answer, or not a good one.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(path, self.client.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// PUT a JSON body.
    ///
    /// # Errors
    /// When there is no answer, or not a good one.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(path, self.client.put(format!("{}{path}", self.base)).json(body)).await
    }

    /// DELETE a path.
    ///
    /// # Errors
    /// When there is no answer, or not a good one.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.send(path, self.client.delete(format!("{}{path}", self.base))).await
    }

    async fn send(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.send().await.with_context(|| format!("no answer for {path}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| format!("half an answer for {path}"))?;
        if !status.is_success() {
            bail!("{path} answered {status}: {}", tools::tail(&text.replace("\\n", "\n"), 40));
        }
        serde_json::from_str(&text).with_context(|| format!("{path} is not JSON: {text}"))
    }

    /// Uploads a jar and returns its id.
    ///
    /// # Errors
    /// When Flink does not take it.
    pub(crate) async fn upload_jar(&self, file_name: &str, bytes: &[u8]) -> Result<String> {
        let (content_type, body) = http::multipart_file("jarfile", file_name, bytes);
        let request = self.client.post(format!("{}/jars/upload", self.base));
        let request = request.header("content-type", content_type).body(body);
        let answer = self.send("/jars/upload", request).await?;
        let path = answer["filename"].as_str().context("upload without a file name")?;
        Ok(path.rsplit('/').next().unwrap_or(path).to_owned())
    }

    /// Cancels a job and does not wait for its end.
    ///
    /// # Errors
    /// When Flink refuses.
    pub(crate) async fn cancel(&self, job_id: &str) -> Result<()> {
        let path = format!("/jobs/{job_id}?mode=cancel");
        let request = self.client.patch(format!("{}{path}", self.base));
        self.send(&path, request).await?;
        Ok(())
    }

    /// A job's entry in `/jobs/overview`, which is live while `/jobs/:id` is cached.
    ///
    /// # Errors
    /// When Flink does not answer or does not know the job.
    pub(crate) async fn job_overview(&self, job_id: &str) -> Result<Value> {
        let overview = self.get("/jobs/overview").await?;
        let mut jobs = overview["jobs"].as_array().into_iter().flatten();
        jobs.find(|job| job["jid"] == job_id).cloned().with_context(|| format!("no job {job_id}"))
    }

    /// A job's state, such as `RUNNING`.
    ///
    /// # Errors
    /// When Flink does not answer or does not know the job.
    pub(crate) async fn job_state(&self, job_id: &str) -> Result<String> {
        let job = self.job_overview(job_id).await?;
        Ok(job["state"].as_str().context("job without a state")?.to_owned())
    }

    /// Waits until the job is in one of these states.
    ///
    /// # Errors
    /// When it is not within `limit`.
    pub(crate) async fn wait_for_state(
        &self,
        job_id: &str,
        states: &[&str],
        limit: Duration,
    ) -> Result<String> {
        let what = format!("job {job_id} in {}", states.join(" or "));
        time::wait_for(&what, limit, || async {
            let state = self.job_state(job_id).await?;
            Ok(states.contains(&state.as_str()).then_some(state))
        })
        .await
    }

    /// Waits until the job is `RUNNING` with all its tasks: the first alone says little.
    ///
    /// # Errors
    /// When it is not within `limit`.
    pub(crate) async fn wait_until_healthy(&self, job_id: &str, limit: Duration) -> Result<()> {
        time::wait_for(&format!("healthy job {job_id}"), limit, || async {
            let job = self.job_overview(job_id).await?;
            let tasks = &job["tasks"];
            let all = tasks["total"].as_u64().unwrap_or(0);
            let healthy = job["state"] == "RUNNING" && all > 0 && tasks["running"] == all;
            Ok(healthy.then_some(()))
        })
        .await
    }

    /// The exception history, newest first. Flink keeps 16 entries and caches the answer.
    ///
    /// # Errors
    /// When Flink does not answer or does not know the job.
    pub(crate) async fn exceptions(&self, job_id: &str) -> Result<Vec<Value>> {
        let answer = self.get(&format!("/jobs/{job_id}/exceptions?maxExceptions=100")).await?;
        Ok(answer["exceptionHistory"]["entries"].as_array().cloned().unwrap_or_default())
    }

    /// `/jobs/:id/checkpoints`.
    ///
    /// # Errors
    /// When Flink does not answer or does not know the job.
    pub(crate) async fn checkpoints(&self, job_id: &str) -> Result<Value> {
        self.get(&format!("/jobs/{job_id}/checkpoints")).await
    }

    /// Waits until this many checkpoints were completed, and returns the newest one's path.
    ///
    /// # Errors
    /// When they were not within `limit`.
    pub(crate) async fn wait_for_checkpoints(
        &self,
        job_id: &str,
        count: u64,
        limit: Duration,
    ) -> Result<String> {
        time::wait_for(&format!("{count} checkpoints of {job_id}"), limit, || async {
            let checkpoints = self.checkpoints(job_id).await?;
            let path = checkpoints["latest"]["completed"]["external_path"].as_str();
            let enough = checkpoints["counts"]["completed"].as_u64() >= Some(count);
            Ok(path.filter(|_| enough).map(str::to_owned))
        })
        .await
    }
}
