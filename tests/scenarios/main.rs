//! `make scenarios`: every way a Flink job goes wrong, on real Flinks, and a table of what the real
//! weir said and when. Leaves nothing behind but the table.

mod args;
#[expect(dead_code, reason = "the smoke among the integration tests uses the rest")]
mod matrix;

#[path = "../testbed/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "each binary uses a part of the test bed")]
mod testbed;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use args::Args;
use matrix::expect::Expected;
use matrix::stage::Setting;
use matrix::{rounds, table};
use testbed::{time, tools};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let played = tokio::select! {
        played = play(&args) => played,
        stopped = stop() => stopped.map(|()| false),
    };
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tools::note(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns whether everything was as it should be.
async fn play(args: &Args) -> Result<bool> {
    let scenarios = args.scenarios()?;
    let expected = Expected::read()?;
    let weir = args.weir_binary()?;
    let mut columns = Vec::new();
    let mut good = true;
    for version in &args.flink {
        let started = time::now();
        let setting = Setting {
            weir: weir.clone(),
            version: version.clone(),
            poll: args.poll,
            expected: expected.clone(),
        };
        let cells = rounds::play(&setting, &scenarios).await?;
        good &= cells.values().all(matrix::verdict::Cell::good);
        tools::note(&format!("Flink {version}: done in {:?}", time::since(started)));
        columns.push((version.clone(), cells));
    }
    let text = table::markdown(&expected, &columns, args.poll)?;
    writeln!(std::io::stdout(), "{text}")?;
    if let Some(path) = &args.table {
        table::write(path, &text)?;
    }
    Ok(good)
}

/// Ctrl-C, a closed terminal, or somebody's `kill`: dropping the run ends all it started.
async fn stop() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
