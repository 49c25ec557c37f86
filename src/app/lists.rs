//! Notices that lists of sources changed.

use std::time::Duration;

use crate::config::{Config, ListStamp, SourceFiles};

/// The lists of the configuration in force.
pub(super) struct Lists {
    files: SourceFiles,
    every: Duration,
    /// As they were taken last, or refused.
    taken: ListStamp,
    /// As they looked last.
    seen: ListStamp,
}

impl Lists {
    pub(super) fn of(config: &Config) -> Lists {
        let files = config.source_files.clone();
        let (taken, seen) = (files.read.clone(), files.read.clone());
        Lists { files, every: config.poll.interval, taken, seen }
    }

    /// Until they look other than they were taken, and twice alike: nobody is writing them any more.
    /// What was refused is read again when it is changed again.
    pub(super) async fn changed(&mut self) {
        if self.files.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            tokio::time::sleep(self.every).await;
            let files = self.files.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || files.stamp()).await else {
                continue;
            };
            let at_rest = now == self.seen;
            self.seen = now;
            if at_rest && self.seen != self.taken {
                self.taken = self.seen.clone();
                return;
            }
        }
    }
}
