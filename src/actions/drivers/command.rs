//! A program of one's own starts the job: Flink's command line, or a script around it. No shell is
//! between, and each placeholder is one argument or a part of one, whatever is in it.
//!
//! On YARN, where a tag makes a run findable:
//!
//! ```yaml
//! driver:
//!   command:
//!     argv: [/opt/flink/bin/flink, run-application, -t, yarn-application, "{{checkpoint_args}}",
//!            "-Dyarn.application.name={{job_name}}", "-Dyarn.tags=weir-{{handle}}",
//!            "/opt/jobs/{{job_name}}.jar"]
//!     checkpoint_args: [-s, "{{checkpoint}}"]
//!     look_up_argv: [/opt/weir/find-yarn-tag, "weir-{{handle}}"]
//!     env: { HADOOP_CONF_DIR: /etc/hadoop/conf, HADOOP_CLASSPATH: "/opt/hadoop/share/hadoop/yarn/*" }
//! ```
//!
//! On Kubernetes, where the name of the cluster makes a second start fail:
//!
//! ```yaml
//! driver:
//!   command:
//!     argv: [/opt/flink/bin/flink, run-application, -t, kubernetes-application, "{{checkpoint_args}}",
//!            "-Dkubernetes.cluster-id={{flink_cluster}}", "-Dkubernetes.namespace={{namespace}}",
//!            "-Dkubernetes.container.image.ref=registry.example.com/{{job_name}}:1.4",
//!            "local:///opt/flink/usrlib/{{job_name}}.jar"]
//!     checkpoint_args: [-s, "{{checkpoint}}"]
//! ```
//!
//! What its end means:
//!
//! | end | meaning |
//! | --- | --- |
//! | it has printed `Job has been submitted with JobID …` | taken, whatever came after it |
//! | exit code 0 | taken |
//! | exit code 3 | the job runs already, and nothing was started |
//! | exit code 75 (`EX_TEMPFAIL`), and those of `refused_exit_codes` | nothing was started |
//! | any other, a signal, the time limit | nobody knows |
//!
//! An exit code alone proves nothing: Flink's command line ends with 1 when the jar is missing, and
//! also when the cluster took the job and did not answer in time.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::examine::{Finding, Sight};
use super::flink_rest::{bounded, is_unreadable};
use super::{BuildError, Driver, LookedUp, Order, Parts, Settings, Started, Traits};
use crate::program::{self, End, Keep, Program, Ran};

mod words;

use words::{Unfit, Words};

/// Flink's command line starts a JVM, uploads jars and waits for the cluster.
const TIMEOUT: Duration = Duration::from_mins(5);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(30);
/// A look asks one question.
const LOOK_UP: Duration = Duration::from_mins(1);
/// What of each output is kept: the end, where the error and Flink's id of the job are.
const KEPT: Keep = Keep::End(64 * 1024);
/// Variable by which an order's program, and what that has started, is known again.
const HANDLE: &str = "WEIR_HANDLE";
/// It runs already.
const RUNS: i32 = 3;
/// No run of this handle is there. Not 1, as `grep` has it: with that a script ends that could not
/// ask, and the order would be given a second time.
const ABSENT: i32 = 4;
/// `EX_TEMPFAIL` of sysexits: not now.
const NOT_NOW: i32 = 75;

/// A program that starts the job.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program and its arguments. There is no shell: nothing is expanded but `{{job_name}}`,
    /// `{{flink_job_name}}`, `{{cluster}}`, `{{namespace}}`, `{{flink_cluster}}`, `{{handle}}`,
    /// `{{job_id}}` (of the dead run), `{{label.…}}` and `{{checkpoint}}`. An order for a job that
    /// lacks one of them is refused, and so is an argument that would begin with a value's `-`, or
    /// be a path to elsewhere.
    pub argv: Vec<String>,
    /// What stands for the argument `{{checkpoint_args}}` when there is a checkpoint; without one,
    /// nothing does.
    #[serde(default)]
    pub checkpoint_args: Vec<String>,
    /// A program that tells by its exit code whether an order came to something: 0 it did, 4 it did
    /// not, anything else cannot be told. Default: nobody can tell.
    pub look_up_argv: Option<Vec<String>>,
    /// The environment of both besides `PATH`, `HOME` and, for the first, `WEIR_HANDLE`; nothing else
    /// of Weir's is passed on.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub env: BTreeMap<String, SecretString>,
    /// Time limit, at most 30m; then it and all it started is killed. Default: 5m.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// Further exit codes that mean that nothing was started and nothing will be. Default: none.
    #[serde(default)]
    pub refused_exit_codes: BTreeSet<i32>,
}

impl Config {
    fn words(&self) -> Words<'_> {
        Words { argv: &self.argv, checkpoint_args: &self.checkpoint_args }
    }
}

impl Settings for Config {
    fn traits(&self) -> Traits {
        Traits { one_program: !self.words().name_the_job(), ..Traits::default() }
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut found = self.words().problems();
        let mut add = |what: &str, hint: &str| found.push((what.to_owned(), hint.to_owned()));
        for (key, argv) in
            [("argv", Some(&self.argv)), ("look_up_argv", self.look_up_argv.as_ref())]
        {
            if let Some(Err((what, hint))) = argv.map(|argv| program::check(argv, &self.env)) {
                add(&what.replace("`argv`", &format!("`{key}`")), hint);
            }
        }
        if self.timeout.is_some_and(|limit| limit.is_zero() || limit > LONGEST_TIMEOUT) {
            add("`timeout` is too short or too long", "write at most 30m");
        }
        if self.refused_exit_codes.contains(&0) || self.refused_exit_codes.contains(&RUNS) {
            add(
                "`refused_exit_codes` has 0 or 3",
                "0 means that it was started, 3 that the job runs already",
            );
        }
        if let Some(argv) = &self.look_up_argv {
            found.extend(words::problems_of_look_up(argv));
        }
        found
    }

    fn build(&self, _parts: &Parts) -> Result<Arc<dyn Driver>, BuildError> {
        let path = std::env::var_os("PATH");
        for argv in [Some(&self.argv), self.look_up_argv.as_ref()].into_iter().flatten() {
            let program = program::check(argv, &self.env)
                .map_err(|(what, hint)| BuildError(format!("{what} ({hint})")))?;
            program::check_exists(program, path.as_deref()).map_err(BuildError)?;
        }
        Ok(Arc::new(Command { config: self.clone() }))
    }
}

struct Command {
    config: Config,
}

impl Command {
    async fn run(&self, argv: &[String], facts: &[(&'static str, String)], limit: Duration) -> Ran {
        let env = &self.config.env;
        let (stdout, stderr) = (Some(KEPT), KEPT);
        Program { argv, env, facts, input: "", limit, stdout, stderr }.run().await
    }

    async fn begin(&self, order: &Order) -> Started {
        let argv = match self.config.words().filled(order) {
            Ok(argv) => argv,
            Err(Unfit(error)) => return Started::Refused { error, unreadable: false },
        };
        let limit = self.config.timeout.unwrap_or(TIMEOUT);
        let ran = self.run(&argv, &[(HANDLE, order.handle.clone())], limit).await;
        self.verdict(&ran, limit, order.from.as_deref())
    }

    /// What its end means.
    fn verdict(&self, ran: &Ran, limit: Duration, from: Option<&str>) -> Started {
        // Whoever reads it there reads it of a job that the cluster has taken.
        if let Some(id) = submitted(&ran.stdout).or_else(|| submitted(&ran.stderr)) {
            return Started::Accepted { job_id: Some(id) };
        }
        let error = format!("{}{}", how(&ran.end, limit), gist(ran));
        match ran.end {
            End::Code(0) => Started::Accepted { job_id: None },
            End::Code(RUNS) => Started::Alive { seen: bounded(&error) },
            End::Code(code)
                if code == NOT_NOW || self.config.refused_exit_codes.contains(&code) =>
            {
                let said = format!("{}{}", ran.stdout, ran.stderr);
                let unreadable = is_unreadable(&said, from);
                Started::Refused { error: bounded(&error), unreadable }
            }
            End::NotStarted(_) => Started::Refused { error: bounded(&error), unreadable: false },
            End::Code(_) | End::Signal(_) | End::Killed | End::Lost(_) => {
                Started::Unclear { error: bounded(&error) }
            }
        }
    }

    async fn look(&self, order: &Order) -> LookedUp {
        let Some(argv) = &self.config.look_up_argv else { return LookedUp::Never };
        let words = Words { argv, checkpoint_args: &[] };
        let argv = match words.filled(order) {
            Ok(argv) => argv,
            Err(Unfit(error)) => return LookedUp::Undecided { error },
        };
        // A Weir that was killed leaves it behind: what it has not submitted yet it still may.
        if let Some(id) = program::living_with(HANDLE, &order.handle).await {
            let error = format!("process {id} is still at it");
            return LookedUp::Undecided { error };
        }
        let limit = self.config.timeout.unwrap_or(TIMEOUT).min(LOOK_UP);
        let ran = self.run(&argv, &[], limit).await;
        match ran.end {
            End::Code(0) => LookedUp::Found { job_id: submitted(&ran.stdout) },
            End::Code(ABSENT) => LookedUp::Absent,
            _ => {
                let error = format!("{}{}", how(&ran.end, limit), gist(&ran));
                LookedUp::Undecided { error: bounded(&error) }
            }
        }
    }
}

/// Whether the program of a command line is there and may be run.
fn runnable(
    argv: &[String],
    env: &BTreeMap<String, SecretString>,
    path: Option<&OsStr>,
) -> Finding {
    let name = program::check(argv, env).map_err(|(what, hint)| format!("{what} ({hint})"))?;
    program::check_exists(name, path)?;
    let place = program::place(name, path).unwrap_or_default();
    let shown = place.display();
    let about = std::fs::metadata(&place).map_err(|error| format!("{shown}: {error}"))?;
    if about.permissions().mode() & 0o111 == 0 {
        return Err(format!("{shown} may not be run (make it executable)"));
    }
    Ok(format!("{shown} is there and may be run"))
}

fn how(end: &End, limit: Duration) -> String {
    match end {
        End::Code(code) => format!("exit code {code}"),
        End::Signal(signal) => format!("ended by signal {signal}"),
        End::Killed => format!("it took more than {} s and was killed", limit.as_secs_f32()),
        End::NotStarted(error) => format!("the program cannot be started: {error}"),
        End::Lost(error) => format!("the program was lost: {error}"),
    }
}

/// The line that tells most of what it said: the innermost cause of a stack trace, else its last
/// words; those on its standard error first.
fn gist(ran: &Ran) -> String {
    let of = |said: &str| {
        let lines = || said.lines().rev().map(str::trim);
        let cause = lines().find_map(|line| line.strip_prefix("Caused by: "));
        let is_word = |line: &&str| !line.is_empty() && !line.starts_with("at ");
        let last = || lines().find(|line| is_word(line) && !is_omission(line));
        cause.or_else(last).map(str::to_owned)
    };
    match of(&ran.stderr).or_else(|| of(&ran.stdout)) {
        Some(line) => format!(": {line}"),
        None => ", without a word".to_owned(),
    }
}

/// `... 12 more` of a stack trace.
fn is_omission(line: &str) -> bool {
    line.starts_with("...") && line.ends_with("more")
}

/// Flink's id of a job that its command line has submitted (`CliFrontend`, `ClientUtils`).
fn submitted(said: &str) -> Option<String> {
    let ids = said.split("Job has been submitted with JobID ").skip(1).filter_map(|rest| {
        let id: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        (id.len() == 32).then_some(id)
    });
    ids.last()
}

impl Driver for Command {
    fn start<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Started> {
        self.begin(order).boxed()
    }

    fn examine<'a>(&'a self, _jobs: &'a [Sight]) -> BoxFuture<'a, Vec<Finding>> {
        let path = std::env::var_os("PATH");
        let both = [Some(&self.config.argv), self.config.look_up_argv.as_ref()];
        let both = both.into_iter().flatten();
        let found = both.map(|argv| runnable(argv, &self.config.env, path.as_deref())).collect();
        std::future::ready(found).boxed()
    }

    fn look_up<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, LookedUp> {
        self.look(order).boxed()
    }
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
