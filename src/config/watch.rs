//! `weir watch URL…`: no file, no questions.

use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;

use super::de::At;
use super::sections::general::Delivery;
use super::sections::receivers::{self, Defaults, ReceiverConfig};
use super::sections::store::StoreConfig;
use super::sections::{incidents, route, web};
use super::{ChannelConfig, Config, FlinkConfig, JobLabels, Poll, SelfMonitoring, SourceConfig};
use crate::notify::{Language, Settings, Storm};
use crate::yaml::findings::Findings;

/// The shipped rules on these Flink clusters, told to the terminal; one cluster per address.
pub fn for_watch(urls: &[String]) -> Config {
    let mut findings = Findings::new("watch");
    let name = "terminal";
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    let defaults = Defaults { language: Language::En, zone, delivery: Delivery::Live };
    let receiver = ReceiverConfig {
        name: At::nowhere(name.to_owned()),
        language: None,
        time_zone: None,
        delivery: None,
        storm: None,
        fallback: None,
        fallback_after: None,
        summary: None,
        channels: console().into_iter().map(At::nowhere).collect(),
    };
    let built = receivers::build(vec![receiver], &defaults, &mut findings);
    // Somebody is looking: say it at once.
    let mut route = route::root(name);
    route.group_wait = Duration::ZERO;
    let mut store = StoreConfig::default().build(&mut findings);
    store.url = SecretString::from(format!("sqlite://{}", database().display()));
    Config {
        store,
        // The store is gone at the end, and nobody asks for its history.
        history: super::History {
            enabled: false,
            ..super::sections::history::HistoryConfig::default().build(&mut findings)
        },
        web: web::WebConfig::default().build(&mut findings),
        poll: Poll::default(),
        delivery: Delivery::Live,
        sources: sources(urls),
        source_files: super::SourceFiles::default(),
        job_labels: JobLabels::default(),
        people: std::collections::BTreeMap::new(),
        rule_files: Vec::new(),
        overrides: Vec::new(),
        time_intervals: crate::rules::IntervalBook::new(),
        schedules: crate::model::Schedules::default(),
        restarts: super::Restarts::default(),
        templates: None,
        incidents: incidents::IncidentsConfig::default().build(route.group_interval),
        notify: Settings {
            receivers: built.plans,
            shadow: false,
            route,
            storm: Storm::default(),
            external_url: None,
            links: None,
        },
        receivers: built.receivers,
        heartbeat: None,
        self_monitoring: SelfMonitoring::default(),
        fingerprints: super::Fingerprints::default(),
    }
}

/// The console channel with its defaults: read from an empty mapping, as a file would give it.
fn console() -> Option<ChannelConfig> {
    let mut findings = Findings::new("watch");
    let (tree, _) = crate::yaml::tree::read("console: {}").ok()?;
    crate::yaml::reader::read(&tree, &mut findings)
}

/// One per process: two watches never share a database.
fn database() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("weir-watch-{}.db", std::process::id()))
}

/// Clusters named by host and port; without a scheme, http.
fn sources(urls: &[String]) -> Vec<SourceConfig> {
    let mut named: Vec<(String, SourceConfig)> = Vec::new();
    for url in urls {
        let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if !named.iter().any(|(name, _)| name == host) {
            let source = SourceConfig::Flink(FlinkConfig::at(host, vec![url.clone()]));
            named.push((host.to_owned(), source));
        }
    }
    named.into_iter().map(|(_, source)| source).collect()
}
