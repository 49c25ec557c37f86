//! What a container runs, as processes of this machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::{time, tools};
use super::Yarn;

const SOON: Duration = Duration::from_secs(30);

impl Yarn {
    /// SIGKILL for the `ApplicationMaster` of an application and all in its container. YARN starts
    /// another attempt where one is left.
    ///
    /// # Errors
    /// When it has none, or it does not run here.
    pub(crate) async fn kill_application_master(&self, id: &str) -> Result<()> {
        let container = self.rest(self.active().await?).master_container(id).await?;
        self.kill_container(id, &container).await
    }

    /// SIGKILL for all in one container.
    ///
    /// # Errors
    /// When it does not run here.
    pub(crate) async fn kill_container(&self, app: &str, container: &str) -> Result<()> {
        let file = self.pid_file(app, container);
        let pid = time::wait_for(&format!("process of {container}"), SOON, || async {
            let text = std::fs::read_to_string(&file)?;
            Ok(text.trim().parse::<u32>().ok())
        })
        .await?;
        ensure!(pid > 1, "{container} has the process id {pid}");
        // Each container is a session of its own, and so a process group.
        let args = ["-KILL", "--", &format!("-{pid}")];
        tools::run("kill", &args).await.with_context(|| format!("{container} does not run"))?;
        Ok(())
    }

    fn pid_file(&self, app: &str, container: &str) -> PathBuf {
        let private = self.dir().join("nm").join("local").join("nmPrivate");
        private.join(app).join(container).join(format!("{container}.pid"))
    }

    /// The end of all that an application's containers printed.
    pub(crate) fn container_logs(&self, app: &str) -> String {
        let folder = self.dir().join("nm").join("logs").join(app);
        let mut files = Vec::new();
        for container in entries(&folder) {
            files.extend(entries(&container));
        }
        let tails = files.iter().map(|file| {
            let text = std::fs::read(file).unwrap_or_default();
            let tail = tools::tail(&String::from_utf8_lossy(&text), 25);
            format!("{}:\n{tail}", file.display())
        });
        tails.collect::<Vec<_>>().join("\n---\n")
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
