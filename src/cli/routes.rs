//! `weir routes JOB`: who would hear of it.

use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::web::routes::Routed;

mod text;

/// Asks a running weir who would hear of an alert.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir routes orders-enrich                         alerts about the one job with this in its key
  weir routes orders --severity critical
  weir routes orders --alertname CheckpointsStalled  with the severity and labels of that rule
  weir routes --labels team=ads,severity=critical    whatever has these labels

Exit code 1 when nobody would hear of it: receivers without channels, or in shadow.")]
pub(super) struct Args {
    /// Any unambiguous part of a job's key.
    #[arg(required_unless_present = "labels")]
    job: Option<String>,
    /// Only this severity: critical, warning or info.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// Name of the alert; its rule's labels and severity count, too.
    #[arg(long, value_name = "ALERT")]
    alertname: Option<String>,
    /// Labels of the alert, beside the job's.
    #[arg(long, value_name = "NAME=VALUE,…")]
    labels: Option<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let given = [
        ("job", &args.job),
        ("labels", &args.labels),
        ("severity", &args.severity),
        ("alertname", &args.alertname),
    ];
    let query: Vec<(&str, &str)> =
        given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let answer: Routed = Remote::find(&args.target)?.get("/api/v1/routes", &query).await?;
    match args.output {
        output::Format::Json => output::say(&serde_json::to_string_pretty(&answer)?),
        output::Format::Text => output::say(&text::of(&answer)),
    }
    if answer.severities.iter().any(|of| of.heard) { Ok(()) } else { Err(Failure::Found) }
}
