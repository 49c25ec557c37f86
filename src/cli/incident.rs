//! `weir ack | unack | close INCIDENT…`: says of incidents who has them, or that they are done with.

use super::remote::{Remote, Target};
use super::{Failure, output};
use crate::notify::render::escape;
use crate::web::command::{Done, Order};

/// Which incidents, and what to write in their timelines.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Numbers, as in messages: 128 or #128.
    #[arg(required = true, value_name = "INCIDENT")]
    incidents: Vec<String>,
    #[command(flatten)]
    word: Word,
    #[command(flatten)]
    target: Target,
}

/// What every command of an operator takes.
#[derive(Debug, clap::Args)]
pub(super) struct Word {
    /// Why, for the timeline.
    #[arg(long, short = 'm', visible_alias = "reason", default_value = "", value_name = "TEXT")]
    comment: String,
    /// Who, where no token says so.
    #[arg(long, env = "USER", default_value = "", value_name = "NAME")]
    by: String,
    /// Name of this order: given again, it is not done again.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What to print.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(super) output: output::Format,
}

impl Word {
    /// For the `n`th of several orders.
    pub(super) fn order(&self, n: usize) -> Order {
        // An answer that was lost on the way is asked for again under the same id.
        let id = match (&self.id, n) {
            (Some(id), 0) => id.clone(),
            (Some(id), n) => format!("{id}-{n}"),
            (None, _) => super::remote::any_id(),
        };
        Order { id: Some(id), comment: self.comment.clone(), by: self.by.clone() }
    }

    /// What came of it.
    pub(super) fn print(&self, done: &Done) -> Result<(), Failure> {
        match self.output {
            // Names of jobs are in it, which strangers chose.
            output::Format::Text => output::say(&escape::plain(&done.said)),
            output::Format::Json => output::say(&serde_json::to_string(done)?),
        }
        Ok(())
    }
}

/// Does `verb` to all of them; says of each what came of it.
pub(super) async fn run(args: Args, verb: &str) -> Result<(), Failure> {
    let remote = Remote::find(&args.target)?;
    let mut failed = false;
    for (n, incident) in args.incidents.iter().enumerate() {
        let number = incident.trim_start_matches('#');
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            output::complain(&format!("error: `{incident}` is no incident; write it like 128"));
            return Err(Failure::Refused);
        }
        let path = format!("/api/v1/incidents/{number}/{verb}");
        match remote.post::<_, Done>(&path, &args.word.order(n)).await {
            Ok(done) => args.word.print(&done)?,
            Err(Failure::Error(error)) if args.incidents.len() > 1 => {
                output::complain(&format!("error: #{number}: {error:#}"));
                failed = true;
            }
            Err(other) => return Err(other),
        }
    }
    if failed { Err(Failure::Found) } else { Ok(()) }
}
