//! The `ZooKeeper` that Flink carries inside: what high availability needs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::process::Leashed;
use super::{cache, download, http, time};

const MAIN: &str =
    "org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain";
const UP_WITHIN: Duration = Duration::from_mins(1);

/// One server on loopback. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct ZooKeeper {
    process: Leashed,
    port: u16,
    temp: TempDir,
}

impl ZooKeeper {
    /// Starts the one in this release of Flink.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn start(flink: &str) -> Result<Self> {
        let lib = download::flink_lib(flink).await?;
        let temp = tempfile::Builder::new().prefix("weir-zookeeper-").tempdir()?;
        let port = http::free_port()?;
        let file = temp.path().join("zoo.cfg");
        let conf = format!(
            "tickTime=1000\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\n",
            temp.path().join("data").display()
        );
        std::fs::write(&file, conf).with_context(|| format!("cannot write {}", file.display()))?;
        let argv = [
            "java",
            "-Xmx96m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dzookeeper.admin.enableServer=false",
            "-cp",
            &format!("{}/*", lib.display()),
            MAIN,
            &file.display().to_string(),
        ]
        .map(str::to_owned);
        let log = temp.path().join("zookeeper.log");
        let process = Leashed::spawn("zookeeper", &argv, &[], &log).await?;
        let up = time::wait_for("ZooKeeper", UP_WITHIN, || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(Some(()))
        });
        up.await.with_context(|| process.log_tail(20))?;
        Ok(Self { process, port, temp })
    }

    /// Where it listens, as `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Options that make a cluster highly available by it, under a name of its own.
    ///
    /// # Errors
    /// When the folder for what is too large for it cannot be made.
    pub(crate) fn conf(&self, cluster_id: &str) -> Result<Vec<(String, String)>> {
        let storage = self.temp.path().join("ha");
        cache::create_dir(&storage)?;
        Ok(pairs(self.port, &storage, cluster_id))
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

fn pairs(port: u16, storage: &Path, cluster_id: &str) -> Vec<(String, String)> {
    [
        ("high-availability.type", "zookeeper".to_owned()),
        ("high-availability.zookeeper.quorum", format!("127.0.0.1:{port}")),
        ("high-availability.storageDir", format!("file://{}", storage.display())),
        ("high-availability.cluster-id", format!("/{cluster_id}")),
        // A JobManager that was killed is forgotten this soon.
        ("high-availability.zookeeper.client.session-timeout", "6000".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .to_vec()
}
