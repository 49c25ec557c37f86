//! `make demo`: a real Flink with five jobs, a mail server, a strict Feishu stand-in and the real
//! `weir`; what comes in is printed beside what goes out. Leaves nothing behind.

mod args;
mod ledger;
mod screen;
mod stage;
mod story;

#[path = "../testbed/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "each binary uses a part of the test bed")]
mod testbed;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use args::Args;
use screen::Screen;
use stage::{Props, Stage};
use story::Story;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let screen = Screen::new();
    match demo(&args, &screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.trouble(&format!("the demo cannot go on: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(args: &Args, screen: &Screen) -> Result<()> {
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    let weir = args.weir_binary()?;
    screen.say(&format!(
        "Weir demo: a real Flink {}, five jobs, and what people hear of them\n",
        args.flink
    ));
    let props = tokio::select! {
        props = Props::set_up(args, screen) => props?,
        () = stop.cancelled() => return Ok(()),
    };
    // Not interruptible: it takes a second, and a Weir that is half started is hard to stop.
    let stage = Stage::open(props, &weir, args, screen).await?;
    let mut story = Story::new(&stage, screen);
    let played = tokio::select! {
        played = story.play(args.length()) => played,
        () = stop.cancelled() => Ok(()),
    };
    screen.end_progress();
    let told = story.summary().await;
    let stopped = stage.close(screen).await;
    played?;
    screen.say(&told);
    stopped
}

/// Ctrl-C, a closed terminal, or somebody's `kill`: all end the demo in order.
fn stop_on_signals(stop: &CancellationToken) -> Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(())
}

/// Time between two looks at what happened.
const LOOK: Duration = Duration::from_millis(300);
