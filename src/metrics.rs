//! What Weir tells Prometheus: all names in one table, all series built anew from the [`View`] at
//! each scrape, so that a job that is gone leaves no series.

mod build;
mod posts;
mod table;
#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
use prometheus::core::Collector;
use prometheus::{TextEncoder, proto::MetricFamily};

use crate::engine::View;
use crate::model::Ts;

pub use posts::Posts;
pub use table::{Kind, METRICS, Metric};

/// What of Weir itself the page, the probes and the metrics show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why the store cannot be written; `None`: it can.
    pub store_error: Option<String>,
    /// Why the last reload was refused and the old configuration goes on; `None`: it was taken.
    pub reload_error: Option<String>,
    /// Wall time since when the configuration in force is: of the last reload that was taken, or of
    /// the start.
    pub reloaded_at: Option<Ts>,
}

/// Writes the exposition.
#[derive(Debug)]
pub struct Exporter {
    posts: Posts,
    #[cfg(target_os = "linux")]
    process: prometheus::process_collector::ProcessCollector,
}

impl Default for Exporter {
    fn default() -> Self {
        Exporter::new()
    }
}

impl Exporter {
    /// One per process: it remembers the CPU time it has already counted.
    pub fn new() -> Exporter {
        Exporter {
            posts: Posts::default(),
            #[cfg(target_os = "linux")]
            process: prometheus::process_collector::ProcessCollector::for_self(),
        }
    }

    /// Alerts from outside, to be counted.
    pub fn posts(&self) -> &Posts {
        &self.posts
    }

    /// The whole answer to a scrape, in Prometheus' text format.
    pub fn render(&self, view: &View, health: &Health) -> String {
        let mut families = build::families(view, health, &self.posts);
        #[cfg(target_os = "linux")]
        families.extend(self.process.collect());
        encode(&families)
    }
}

fn encode(families: &[MetricFamily]) -> String {
    match TextEncoder::new().encode_to_string(families) {
        Ok(text) => text,
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            String::new()
        }
    }
}
