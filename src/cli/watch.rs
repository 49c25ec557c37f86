//! `weir watch URL…`: no file, no questions. Alerts on the terminal, a line of progress meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Failure, once, output, report};
use crate::app::{self, Blueprint, read_rules};
use crate::config;
use crate::engine::View;
use crate::lifecycle;
use crate::notify::render::Templates;

/// Watches clusters without a configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// REST addresses of Flink clusters, such as `http://localhost:8081`.
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// Look once, print a health report, and exit 1 if something needs a person.
    #[arg(long)]
    once: bool,
    /// Serve the page, the API and the metrics on 127.0.0.1:9321 too.
    #[arg(long, conflicts_with = "once")]
    serve: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let config = config::for_watch(&args.urls);
    let rules = read_rules(&config).map_err(|problems| {
        output::problems(&problems);
        Failure::Refused
    })?;
    if args.once {
        return once::run(config, rules.set).await;
    }
    let stop = CancellationToken::new();
    let database = secrecy::ExposeSecret::expose_secret(&config.store.url).to_owned();
    let blueprint = Blueprint {
        config,
        rules: rules.set,
        templates: Arc::new(Templates::shipped()),
        sink: Arc::new(|text: &str| {
            output::end_progress();
            output::say(text);
        }),
        serve: args.serve,
        file: None,
    };
    let running = app::start(blueprint, stop.clone()).await?;
    lifecycle::stop_on_signals(stop.clone());
    let mut views = running.views.clone();
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {
                let view: Arc<View> = views.borrow_and_update().clone();
                output::progress(&report::progress(&view));
            }
        }
    }
    output::end_progress();
    running.join().await?;
    if let Some(path) = database.strip_prefix("sqlite://") {
        for suffix in ["", "-wal", "-shm", ".lock"] {
            std::fs::remove_file(format!("{path}{suffix}")).ok();
        }
    }
    Ok(())
}
