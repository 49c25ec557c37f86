//! One run of the program, and what its end means.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;

use crate::model::SendOutcome;
use crate::notify::channels::wire::excerpt;
use crate::program::{self, End, Keep, Ran};

/// `EX_TEMPFAIL` of sysexits: not now.
const NOT_NOW: i32 = 75;
/// What of its standard error is read; the rest is thrown away.
const MAX_ERROR: usize = 4_096;

/// What is run.
pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, SecretString>,
    pub(super) limit: Duration,
    /// One at a time of one channel: those of others do not wait for it.
    pub(super) place: Semaphore,
}

impl Program {
    /// Runs it with this on its standard input.
    pub(super) async fn run(&self, input: &str, facts: &[(&'static str, String)]) -> SendOutcome {
        let Ok(_place) = self.place.acquire().await else {
            return retry("no place to run it in".to_owned());
        };
        let program = program::Program {
            argv: &self.argv,
            env: &self.env,
            facts,
            input,
            limit: self.limit,
            stdout: None,
            stderr: Keep::Beginning(MAX_ERROR),
        };
        verdict(program.run().await, self.limit)
    }
}

fn retry(error: String) -> SendOutcome {
    SendOutcome::Retry { after_ms: None, error }
}

/// What its end means.
fn verdict(ran: Ran, limit: Duration) -> SendOutcome {
    let first = ran.stderr.lines().map(excerpt).find(|line| !line.is_empty());
    let with = |what: String| match &first {
        Some(line) => format!("{what}: {line}"),
        None => format!("{what}, without a word on its standard error"),
    };
    match ran.end {
        End::Code(0) => SendOutcome::Delivered,
        End::Code(NOT_NOW) => retry(with("exit code 75".to_owned())),
        End::Code(code) => SendOutcome::Rejected { error: with(format!("exit code {code}")) },
        End::Signal(signal) => retry(with(format!("ended by signal {signal}"))),
        // It may be being replaced.
        End::NotStarted(error) => retry(format!("the program cannot be started: {error}")),
        End::Lost(error) => retry(format!("the program was lost: {error}")),
        End::Killed => {
            let seconds = limit.as_secs_f32();
            retry(format!("the program took more than {seconds} s and was killed"))
        }
    }
}
