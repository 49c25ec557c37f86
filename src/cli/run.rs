//! `weir run`: the real thing.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{ConfigFile, Failure, check, output};
use crate::app::{self, Blueprint, ReloadHandle};
use crate::lifecycle;

/// Runs Weir.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let checked = check::read(&args.file.config)?;
    for warning in &checked.warnings {
        warn!("{warning}");
    }
    lifecycle::open_many_files();
    let stop = CancellationToken::new();
    // From here on a SIGHUP does not end the process.
    let hangups = lifecycle::Hangups::listen();
    let (sources, rules) = (checked.config.sources.len(), checked.rules.set.rules.len());
    let running = app::start(
        Blueprint {
            config: checked.config,
            rules: checked.rules.set,
            templates: checked.templates,
            sink: Arc::new(|text: &str| output::say(text)),
            serve: true,
            file: Some(args.file.config),
        },
        stop.clone(),
    )
    .await?;
    lifecycle::stop_on_signals(stop.clone());
    if let Some(handle) = running.reload.clone() {
        tokio::spawn(reload_on_hangups(hangups, handle, stop));
    }
    let page = running.listens.map_or_else(String::new, |at| format!("http://{at}/"));
    info!(sources, rules, page, "weir is watching");
    running.join().await?;
    info!("stopped");
    Ok(())
}

/// What a reload has to say, it says in the log.
async fn reload_on_hangups(
    mut hangups: lifecycle::Hangups,
    handle: ReloadHandle,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = hangups.next() => {}
        }
        info!("SIGHUP: reading the configuration again");
        handle.reload().await.ok();
    }
}
