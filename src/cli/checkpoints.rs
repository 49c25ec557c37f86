//! `weir checkpoints JOB`: what a job could be restored from.

use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::notify::render::escape::line;
use crate::web::checkpoints::Item;

/// Lists the checkpoints and savepoints of a job that Weir has seen complete, or was told of.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A `*` stands before the one a restart would take. `restorable`: it was there \
when Weir last heard of it, and nothing deletes it; `maybe`: nobody knows; `gone`: it was deleted. `told by`: an inventory \
recorded it, Flink itself never showed it; its time is when it was triggered."
)]
pub(super) struct Args {
    /// Any unambiguous part of the job's key.
    job: String,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    output: output::Format,
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let items: Vec<Item> = remote.get("/api/v1/checkpoints", &[("job", &args.job)]).await?;
    match args.output {
        output::Format::Json => output::say(&serde_json::to_string_pretty(&items)?),
        output::Format::Text if items.is_empty() => {
            output::say("no checkpoint or savepoint of it was ever seen");
        }
        output::Format::Text => {
            for item in &items {
                output::say(&row(item));
            }
        }
    }
    Ok(())
}

fn row(item: &Item) -> String {
    let next = if item.next { '*' } else { ' ' };
    let at = item.completed_at.as_deref().unwrap_or("-");
    let size = item.size_bytes.map_or_else(|| "-".to_owned(), bytes);
    let told = item.told_by.as_deref();
    let told = told.map(|by| format!("  (told by {})", line(by))).unwrap_or_default();
    let (kind, state, path) = (&item.kind, &item.state, line(&item.path));
    format!("{next} {kind:<10} {state:<10} {at:<24} {size:>9}  {path}{told}")
}

fn bytes(size: u64) -> String {
    let (unit, by) = match size {
        0..1_024 => return format!("{size} B"),
        1_024..1_048_576 => ("KiB", 1_024.0),
        1_048_576..1_073_741_824 => ("MiB", 1_048_576.0),
        _ => ("GiB", 1_073_741_824.0),
    };
    format!("{:.1} {unit}", size as f64 / by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (size, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (3 << 20, "3.0 MiB"),
            (5 << 30, "5.0 GiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
    }
}
