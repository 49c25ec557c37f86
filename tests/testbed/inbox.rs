//! A record of what arrived that a test can wait on.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

/// Everything received so far, in order.
pub struct Inbox<T> {
    items: Mutex<Vec<T>>,
    news: Notify,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self { items: Mutex::new(Vec::new()), news: Notify::new() }
    }
}

impl<T: Clone> Inbox<T> {
    /// Adds one and wakes whoever waits.
    pub fn push(&self, item: T) {
        self.items.lock().expect("no panic while locked").push(item);
        self.news.notify_waiters();
    }

    /// A copy of all of it.
    pub fn all(&self) -> Vec<T> {
        self.items.lock().expect("no panic while locked").clone()
    }

    /// Those after the first `read`, once there are any.
    pub async fn after(&self, read: usize) -> Vec<T> {
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            {
                let items = self.items.lock().expect("no panic while locked");
                if let Some(rest) = items.get(read..).filter(|rest| !rest.is_empty()) {
                    return rest.to_vec();
                }
            }
            news.await;
        }
    }

    /// The first one, present or to come, that `wanted` accepts; `None` when `deadline` passes.
    pub async fn wait_for(
        &self,
        mut wanted: impl FnMut(&T) -> bool,
        deadline: Duration,
    ) -> Option<T> {
        let search = async {
            let mut seen = 0;
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                {
                    let items = self.items.lock().expect("no panic while locked");
                    if let Some(found) = items.iter().skip(seen).find(|item| wanted(item)) {
                        return found.clone();
                    }
                    seen = items.len();
                }
                news.await;
            }
        };
        tokio::time::timeout(deadline, search).await.ok()
    }
}
