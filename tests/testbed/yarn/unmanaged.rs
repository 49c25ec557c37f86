//! Applications of Flink's type that cost nothing: no container, one JVM for all their masters.
//!
//! To YARN they run. What they register as Flink's address is whatever the test serves there.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::process::Leashed;
use super::super::{cache, http, time};
use super::{Yarn, conf};

const UP_WITHIN: Duration = Duration::from_mins(1);

/// The JVM with the masters. Dropping it kills it, and YARN gives its applications up later.
#[derive(Debug)]
pub(crate) struct Unmanaged {
    process: Leashed,
    client: reqwest::Client,
    url: String,
}

/// One application to start.
#[derive(Debug, Clone)]
pub(crate) struct UnmanagedApp {
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) queue: String,
    /// `host:port` of what it says is its Flink.
    pub(crate) address: String,
}

impl UnmanagedApp {
    /// One of the user `flink` in the queue `default`.
    pub(crate) fn new(name: &str, address: &str) -> Self {
        Self {
            name: name.to_owned(),
            user: "flink".to_owned(),
            queue: "default".to_owned(),
            address: address.to_owned(),
        }
    }
}

impl Yarn {
    /// Starts the JVM for such applications, without any.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn unmanaged(&self) -> Result<Unmanaged> {
        let port = http::free_port()?;
        let mut argv = self.java(256);
        let folder = conf::folder(self.dir(), conf::CLIENT);
        argv.push(format!("-Dlog4j.configuration=file:{}/log4j.properties", folder.display()));
        argv.extend(["-cp".to_owned(), self.class_path(conf::CLIENT)]);
        argv.push(cache::source_file("yarn/UnmanagedApps.java").display().to_string());
        argv.push(port.to_string());
        let log = self.dir().join("logs").join("unmanaged.log");
        let env = self.env(conf::CLIENT)?;
        let process = Leashed::spawn("unmanaged applications", &argv, &env, &log).await?;
        let unmanaged =
            Unmanaged { process, client: http::client(), url: format!("http://127.0.0.1:{port}") };
        let up = time::wait_for("unmanaged applications", UP_WITHIN, || async {
            unmanaged.ask("/up", &[]).await.map(Some)
        });
        up.await.with_context(|| unmanaged.process.log_tail(30))?;
        Ok(unmanaged)
    }
}

impl Unmanaged {
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<String> {
        let request = self.client.get(format!("{}{path}", self.url)).query(query);
        let response = request.send().await.with_context(|| format!("no answer for {path}"))?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{path}: {text}: {}", self.process.log_tail(30));
        Ok(text)
    }

    /// Starts one application and returns its id when YARN has registered it.
    ///
    /// # Errors
    /// When YARN refuses.
    pub(crate) async fn start(&self, app: &UnmanagedApp) -> Result<String> {
        let query = [
            ("name", app.name.as_str()),
            ("user", app.user.as_str()),
            ("queue", app.queue.as_str()),
            ("address", app.address.as_str()),
        ];
        self.ask("/start", &query).await
    }

    /// Ends one in order, as Flink does when its job has ended: `SUCCEEDED`, `FAILED`, `KILLED` or
    /// `UNDEFINED`.
    ///
    /// # Errors
    /// When there is no such application.
    pub(crate) async fn end(&self, id: &str, status: &str, diagnostics: &str) -> Result<()> {
        let query = [("id", id), ("status", status), ("diagnostics", diagnostics)];
        self.ask("/end", &query).await?;
        Ok(())
    }

    /// One says nothing any more, until YARN gives it up.
    ///
    /// # Errors
    /// When there is no such application.
    pub(crate) async fn silence(&self, id: &str) -> Result<()> {
        self.ask("/silence", &[("id", id)]).await?;
        Ok(())
    }

    /// SIGKILL for all masters at once.
    ///
    /// # Errors
    /// When the JVM is not running.
    pub(crate) async fn kill9(mut self) -> Result<()> {
        self.process.kill9_child().await
    }
}
