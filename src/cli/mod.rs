//! The command line: one file per command, and the only place that prints.
//!
//! Data goes to stdout, logs to stderr. Exit codes: 0 ok, 1 a finding or a failure, 2 wrong usage
//! or a configuration that `run` refuses.

mod check;
mod checkpoints;
mod config;
mod cost;
mod demo;
mod doctor;
mod explain;
mod history;
mod import;
mod incident;
mod jobs;
mod maintenance;
mod notices;
mod once;
mod output;
mod remote;
mod render;
mod replay;
mod report;
mod report_since;
mod restart;
mod retire;
mod routes;
mod rule_paths;
mod rules;
mod run;
mod silence;
mod story;
mod test_message;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::complain;

/// Watches Flink jobs and tells people once per failure.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, long_about = None, max_term_width = 100)]
struct Cli {
    /// How much is logged: error, warn, info, debug, trace, or filters such as weir=debug.
    #[arg(long, global = true, env = "WEIR_LOG", default_value = "info", value_name = "LEVEL")]
    log: String,
    /// Log one JSON object per line.
    #[arg(long, global = true, env = "WEIR_LOG_JSON")]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the configured sources and tell the configured receivers, until stopped.
    Run(run::Args),
    /// Watch clusters without a configuration: shipped rules, alerts on the terminal.
    Watch(watch::Args),
    /// Check a configuration, its rules and templates; start nothing.
    Check(check::Args),
    /// Reach every source once, change nothing, and say what is wrong and the way out.
    Doctor(doctor::Args),
    /// Send a test message to every channel of a receiver.
    TestMessage(test_message::Args),
    /// Why a rule is firing or not, for a job; without one, what is nearest to firing.
    Explain(explain::Args),
    /// Say that somebody has an incident: reminders stop.
    Ack(incident::Args),
    /// Take an acknowledgement back: reminders go on.
    Unack(incident::Args),
    /// End an incident by hand; what is still true opens none again until it has stopped.
    Close(incident::Args),
    /// Say that a job is gone for good: its incidents end, and it is forgotten until it runs again.
    Retire(retire::Args),
    /// Start a dead job again from its last checkpoint, or say what would be done.
    Restart(Box<restart::Args>),
    /// What a job could be restored from.
    Checkpoints(checkpoints::Args),
    /// Who would hear of an alert about a job: route, receiver, channels, when.
    Routes(routes::Args),
    /// The jobs a running weir knows; with `--unowned`, those nobody would hear of.
    Jobs(jobs::Args),
    /// Each piece of news with its way to people; where there is none, the nearest reason.
    Notices(notices::Args),
    /// What happened and what was told of it: failures, incidents, messages, the noisiest jobs.
    Report(report_since::Args),
    /// Hold back what nobody wants to hear of for a while.
    Silence(silence::Args),
    /// Hold back what a backfill causes; never that a job fails.
    Maintenance(maintenance::Args),
    /// Save what a running weir has seen, for `weir replay` and for bug reports.
    History(history::Args),
    /// Show what would have been said with other rules, or was said with these; sends nothing.
    Replay(replay::Args),
    /// Preview a message with its templates, about an incident or a sample; sends nothing.
    Render(render::Args),
    /// Show what Weir does, with simulated jobs and a clock that runs fast; needs no Flink.
    Demo(demo::Args),
    /// Draft receivers, routes and labels from StreamPark's or Dinky's alert configurations.
    Import(import::Args),
    /// About the configuration file.
    Config(config::Args),
    /// About rule files.
    Rules(rules::Args),
}

/// The configuration file, for the commands that need one.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ConfigFile {
    /// Configuration file.
    #[arg(long, short, env = "WEIR_CONFIG", default_value = "weir.yaml", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// How a command ended.
pub(crate) enum Failure {
    /// Something was found, or did not work: exit 1.
    Found,
    /// Said already: exit 2.
    Refused,
    /// To be said: exit 1.
    Error(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Error(error.into())
    }
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    output::start_log(&cli.log, cli.log_json);
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                complain(&format!("error: the runtime cannot be started: {error}"));
                return ExitCode::from(1);
            }
        };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(args).await,
            Command::Watch(args) => watch::run(args).await,
            Command::Check(args) => check::run(&args),
            Command::Doctor(args) => doctor::run(args).await,
            Command::TestMessage(args) => test_message::run(args).await,
            Command::Explain(args) => explain::run(args).await,
            Command::Ack(args) => incident::run(args, "ack").await,
            Command::Unack(args) => incident::run(args, "unack").await,
            Command::Close(args) => incident::run(args, "close").await,
            Command::Retire(args) => retire::run(args).await,
            Command::Restart(args) => restart::run(*args).await,
            Command::Checkpoints(args) => checkpoints::run(args).await,
            Command::Routes(args) => routes::run(args).await,
            Command::Jobs(args) => jobs::run(args).await,
            Command::Notices(args) => notices::run(args).await,
            Command::Report(args) => report_since::run(args).await,
            Command::Silence(args) => silence::run(args).await,
            Command::Maintenance(args) => maintenance::run(args).await,
            Command::History(args) => history::run(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Render(args) => render::run(args).await,
            Command::Demo(args) => demo::run(&args),
            Command::Import(args) => import::run(args).await,
            Command::Config(args) => config::run(&args),
            Command::Rules(args) => rules::run(&args),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Found) => ExitCode::from(1),
        Err(Failure::Refused) => ExitCode::from(2),
        Err(Failure::Error(error)) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}
