//! The hand on a running test job: files in a folder that the job reads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::cache;

/// The control folder of one job, see `jobs/TestJob.java`. Clones steer the same job.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    folder: PathBuf,
}

impl Control {
    /// Takes or creates a folder, without orders in a new one: the job is healthy.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        cache::create_dir(folder)?;
        let folder = std::path::absolute(folder)
            .with_context(|| format!("no absolute path of {}", folder.display()))?;
        Ok(Self { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on every attempt fails this long after its start.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn crash_on(&self, after: Duration) -> Result<()> {
        self.remove("crash.limit")?;
        self.write("crash.after_ms", &after.as_millis().to_string())?;
        self.write("crash", "")
    }

    /// Like [`Control::crash_on`], but only for so many failures from now.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn crash_times(&self, times: usize, after: Duration) -> Result<()> {
        self.write("crash.limit", &(self.failures()? + times).to_string())?;
        self.write("crash.after_ms", &after.as_millis().to_string())?;
        self.write("crash", "")
    }

    /// No more failures.
    ///
    /// # Errors
    /// When the order cannot be withdrawn.
    pub(crate) fn crash_off(&self) -> Result<()> {
        self.remove("crash")
    }

    /// The text of the root cause, byte for byte.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn crash_message(&self, message: &str) -> Result<()> {
        self.write("crash.message", message)
    }

    /// The failures so far as the job itself wrote them down, in milliseconds since the epoch.
    ///
    /// # Errors
    /// When the log is there and unreadable.
    pub(crate) fn failure_times_ms(&self) -> Result<Vec<u64>> {
        let path = self.folder.join("failures.log");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        text.lines()
            .map(|line| line.parse().with_context(|| format!("failures.log holds {line:?}")))
            .collect()
    }

    /// How often the job failed so far: the ground truth.
    ///
    /// # Errors
    /// When the log is there and unreadable.
    pub(crate) fn failures(&self) -> Result<usize> {
        Ok(self.failure_times_ms()?.len())
    }

    /// How many orders each attempt began with, by its own account.
    ///
    /// # Errors
    /// When the job's notes cannot be read.
    pub(crate) fn restored(&self) -> Result<Vec<u64>> {
        let lines = self.lines("restored.log")?;
        lines.iter().map(|line| line.parse().with_context(|| line.clone())).collect()
    }

    /// Orders that were lost or taken twice.
    ///
    /// # Errors
    /// When the job's notes cannot be read.
    pub(crate) fn miscounts(&self) -> Result<Vec<String>> {
        self.lines("miscounts.log")
    }

    fn lines(&self, name: &str) -> Result<Vec<String>> {
        let path = self.folder.join(name);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Whether checkpoints fail while the job runs on.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn fail_checkpoints(&self, fail: bool) -> Result<()> {
        if fail { self.write("checkpoint.fail", "") } else { self.remove("checkpoint.fail") }
    }

    /// How long each snapshot blocks its task.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn delay_checkpoints(&self, delay: Duration) -> Result<()> {
        self.write("checkpoint.delay_ms", &delay.as_millis().to_string())
    }

    /// The `pendingRecords` the sources report together.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn set_backlog(&self, records: u64) -> Result<()> {
        self.write("backlog", &records.to_string())
    }

    /// From now on so many more records wait every second.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn grow_backlog(&self, per_second: u64) -> Result<()> {
        self.write("backlog.since_ms", &super::time::epoch_ms().to_string())?;
        self.write("backlog.per_second", &per_second.to_string())
    }

    /// The stream ends, and with it the job: `FINISHED`.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn finish(&self) -> Result<()> {
        self.write("finish", "")
    }

    /// The sources read nothing any more.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn get_stuck(&self) -> Result<()> {
        self.write("stuck", "")
    }

    /// How long the sink takes over each record.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn slow_sink(&self, delay: Duration) -> Result<()> {
        self.write("sink.delay_ms", &delay.as_millis().to_string())
    }

    /// The next record uses up the heap of its `TaskManager`, in this attempt and in later ones.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn use_up_heap(&self) -> Result<()> {
        self.write("oom", "")
    }

    /// From now on every attempt misses a class before its first record.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn miss_connector(&self) -> Result<()> {
        self.write("connector.missing", "")
    }

    /// From now on every attempt that has state to begin with throws this.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn fail_restores(&self, message: &str) -> Result<()> {
        self.write("restore.fail", message)
    }

    /// Whether its state is of another type than what was written before.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn change_state(&self, other: bool) -> Result<()> {
        if other { self.write("state.other", "") } else { self.remove("state.other") }
    }

    /// The program throws before it has a job.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn fail_main(&self) -> Result<()> {
        self.write("main.fail", "")
    }

    /// Takes back [`Control::finish`].
    ///
    /// # Errors
    /// When the order cannot be withdrawn.
    pub(crate) fn resume(&self) -> Result<()> {
        self.remove("finish")
    }

    /// Written beside and renamed: the job reads whole orders only.
    fn write(&self, name: &str, content: &str) -> Result<()> {
        let path = self.folder.join(name);
        let new = self.folder.join(format!("{name}.new"));
        std::fs::write(&new, content).with_context(|| format!("cannot write {}", new.display()))?;
        cache::publish(&new, &path)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}
