//! The pollers of all sources: started, replaced and stopped by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::pace;
use super::poller::Poller;
use crate::clock::Clock;
use crate::engine::Input;
use crate::engine::View;
use crate::model::{Demand, FailedRun};
use crate::sources::Source;

/// What pollers have in common, and those that run.
pub(super) struct Pollers {
    pub(super) demand: watch::Sender<Demand>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inputs: mpsc::Sender<Input>,
    /// What is known after each step.
    pub(super) views: watch::Receiver<Arc<View>>,
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) running: BTreeMap<String, (CancellationToken, JoinHandle<()>)>,
}

impl Pollers {
    /// Starts these, spread over the interval. Where there is one of that name, it ends first:
    /// polls of one source never overlap. `failed`: jobs of any source whose newest run failed.
    pub(super) async fn start(
        &mut self,
        sources: Vec<Box<dyn Source>>,
        failed: &[FailedRun],
        interval: Duration,
    ) {
        let count = sources.len();
        for (index, mut source) in sources.into_iter().enumerate() {
            let name = source.name().to_owned();
            self.end(&name).await;
            source.recall(failed);
            let poller = Poller {
                interval: source.interval().unwrap_or(interval),
                source,
                demand: self.demand.subscribe(),
                delay: pace::first(index, count, interval),
                clock: Arc::clone(&self.clock),
                inputs: self.inputs.clone(),
                views: self.views.clone(),
            };
            let stop = self.stop.child_token();
            let task = self.tasks.spawn(poller.run(stop.clone()));
            self.running.insert(name, (stop, task));
        }
    }

    /// Ends those whose name is not among these.
    pub(super) async fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.running.keys().filter(|name| !keep(name)).cloned().collect();
        for name in gone {
            self.end(&name).await;
        }
    }

    /// What is asked for from the next poll on.
    pub(super) fn ask_for(&self, demand: Demand) {
        self.demand.send_if_modified(|known| {
            let differs = *known != demand;
            if differs {
                *known = demand;
            }
            differs
        });
    }

    async fn end(&mut self, name: &str) {
        if let Some((stop, task)) = self.running.remove(name) {
            stop.cancel();
            task.await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::clock::SystemClock;
    use crate::model::{Completeness, RunId, Snapshot, Time};
    use crate::sources::flink::{FlinkConfig, FlinkSource};

    /// Shows what it was told as the reason of its failure.
    struct Told(Vec<FailedRun>);

    impl Source for Told {
        fn name(&self) -> &'static str {
            "prod"
        }

        fn recall(&mut self, failed: &[FailedRun]) {
            self.0 = failed.to_vec();
        }

        fn poll<'a>(&'a mut self, _: &'a Demand, _: Time) -> BoxFuture<'a, Snapshot> {
            let names: Vec<&str> = self.0.iter().map(|run| run.name.as_str()).collect();
            let snapshot = Snapshot::failed("prod", "test", names.join(" "), false);
            async move { snapshot }.boxed()
        }
    }

    fn pollers(inputs: mpsc::Sender<Input>) -> Pollers {
        Pollers {
            demand: watch::Sender::new(Demand::default()),
            clock: Arc::new(SystemClock::anchored(None)),
            inputs,
            views: watch::Sender::new(Arc::default()).subscribe(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            running: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn a_cluster_that_hangs_delays_no_other() {
        let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let well = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let source = |name: &str, at: &tokio::net::TcpListener| -> Box<dyn Source> {
            let url = format!("http://{}", at.local_addr().unwrap());
            let config = FlinkConfig::at(name, vec![url]);
            Box::new(FlinkSource::new(config, Duration::from_mins(1), "test").unwrap())
        };
        let sources = vec![source("hung", &hung), source("well", &well)];
        // Takes connections and never says a word.
        let (asked, mut was_asked) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = hung.accept().await {
                open.push(stream);
                asked.send(()).await.ok();
            }
        });
        let answer = || async { r#"{"jobs":[]}"# };
        let router = axum::Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(well, router).await });
        let (inputs, mut looks) = mpsc::channel(1);
        let mut pollers = pollers(inputs);
        pollers.start(sources, &[], Duration::from_millis(100)).await;
        was_asked.recv().await.unwrap();
        for _ in 0..10 {
            let Some(Input::Snapshot(look)) = looks.recv().await else { panic!("no look") };
            assert_eq!(look.source, "well", "{look:?}");
            assert_eq!(look.completeness, Completeness::Complete);
        }
        pollers.stop.cancel();
    }

    #[tokio::test]
    async fn a_source_knows_what_failed_before_its_first_look() {
        let (inputs, mut looks) = mpsc::channel(1);
        let mut pollers = pollers(inputs);
        for name in ["at the start", "at a reload"] {
            let failed = FailedRun {
                source: "prod".to_owned(),
                name: name.to_owned(),
                run: RunId { start_time: 1, job_id: "a".into() },
                ui_url: None,
            };
            let sources: Vec<Box<dyn Source>> = vec![Box::new(Told(Vec::new()))];
            pollers.start(sources, &[failed], Duration::from_hours(1)).await;
            let Some(Input::Snapshot(look)) = looks.recv().await else { panic!("no look") };
            assert!(format!("{look:?}").contains(name), "{look:?}");
        }
        pollers.stop.cancel();
    }
}
