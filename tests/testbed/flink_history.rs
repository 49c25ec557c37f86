//! Flink's `HistoryServer` on loopback, over a folder that `JobManager`s archive to.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::flink_conf::{self as conf, Version};
use super::process::Leashed;
use super::rest::FlinkRest;
use super::{cache, download, http, time};

const MAIN: &str = "org.apache.flink.runtime.webmonitor.history.HistoryServer";
const START_LIMIT: Duration = Duration::from_mins(2);
const HEAP_MB: u32 = 256;

/// What a `JobManager` needs to archive into this folder.
pub(crate) fn archives_to(folder: &Path) -> Vec<(String, String)> {
    vec![("jobmanager.archive.fs.dir".to_owned(), format!("file://{}", folder.display()))]
}

/// A running `HistoryServer`. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct HistoryServer {
    rest: FlinkRest,
    process: Leashed,
}

impl HistoryServer {
    /// Starts one at this port that reads `archives` every second; what it writes goes below `root`.
    ///
    /// # Errors
    /// When the download fails or it does not answer.
    pub(crate) async fn start(
        version: &str,
        root: &Path,
        archives: &Path,
        port: u16,
    ) -> Result<Self> {
        let lib = download::flink_lib(version).await?;
        let web = root.join("history-web");
        cache::create_dir(&web)?;
        let version = Version::parse(version)?;
        let own = [
            ("historyserver.archive.fs.dir", format!("file://{}", archives.display())),
            // Without a unit: older versions want plain milliseconds here.
            ("historyserver.archive.fs.refresh-interval", "1000".to_owned()),
            ("historyserver.web.address", "127.0.0.1".to_owned()),
            ("historyserver.web.port", port.to_string()),
            ("historyserver.web.tmpdir", web.display().to_string()),
        ];
        let own: Vec<_> = own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let folder = root.join("conf").join("history");
        conf::write(&folder, version, &own)?;
        let argv = conf::command(&lib, &folder, MAIN, HEAP_MB, None);
        let log = root.join("history.log");
        let process = Leashed::spawn("historyserver", &argv, &[], &log).await?;
        let rest = FlinkRest::new(&format!("http://127.0.0.1:{port}"));
        let up = time::wait_for("answer of the HistoryServer", START_LIMIT, || async {
            Ok(rest.get("/config").await.is_ok().then_some(()))
        });
        up.await.with_context(|| process.log_tail(40))?;
        Ok(Self { rest, process })
    }

    /// A port for one that is started later.
    ///
    /// # Errors
    /// When the system has no free port.
    pub(crate) fn port() -> Result<u16> {
        Ok(http::free_port()?)
    }

    /// Its REST API.
    pub(crate) const fn rest(&self) -> &FlinkRest {
        &self.rest
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.process.stop().await?;
        Ok(())
    }
}
