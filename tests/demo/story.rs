//! What happens to the five jobs, and what is seen of it.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::LOOK;
use crate::ledger::{Account, Truth, card};
use crate::screen::Screen;
use crate::stage::{Jobs, MAILBOX, Stage};
use crate::testbed::time;

/// Each attempt of the crash-looping job lives so long.
const LIFE: Duration = Duration::from_secs(3);
/// Its restart strategy gives up with this failure.
const LAST_FAILURE: usize = 8;
/// Somebody mends the dead job's input and starts it again so long after its death.
const MENDING: Duration = Duration::from_secs(20);
/// The checkpoint storage has space again after so long.
const STORAGE: Duration = Duration::from_secs(75);
/// The job that Weir restarts dies after so long.
const DEATH: Duration = Duration::from_secs(20);
/// What it dies of; its next run does not meet that record again.
const CAUSE: &str = "order 5120 was cut off on its way";
/// The backlog grows by so much a second.
const FALLING_BEHIND: u64 = 2_000;
/// Time between two lines that sum up.
const SUMMARY: Duration = Duration::from_secs(30);

pub(crate) struct Story<'a> {
    stage: &'a Stage,
    screen: &'a Screen,
    started: Instant,
    summed_up: Instant,
    truth: Truth,
    /// Failures of the job that crash-loops.
    crashes: usize,
    ordered_to_die: bool,
    /// State of the last restart by Weir that was shown.
    restart: String,
    died: Option<Instant>,
    again: bool,
    storage_mended: bool,
    over_said: bool,
    cards: usize,
    mails: usize,
}

impl<'a> Story<'a> {
    pub(crate) fn new(stage: &'a Stage, screen: &'a Screen) -> Story<'a> {
        Story {
            stage,
            screen,
            started: time::now(),
            summed_up: time::now(),
            truth: Truth::default(),
            crashes: 0,
            ordered_to_die: false,
            restart: String::new(),
            died: None,
            again: false,
            storage_mended: false,
            over_said: false,
            cards: 0,
            mails: 0,
        }
    }

    /// Plays until `length` is over, or for ever.
    ///
    /// # Errors
    /// When a job cannot be ordered to fail or to be well.
    pub(crate) async fn play(&mut self, length: Option<Duration>) -> Result<()> {
        self.started = time::now();
        self.summed_up = self.started;
        self.screen.start_clock();
        let jobs = self.stage.jobs();
        jobs.crashing.control.crash_on(LIFE)?;
        jobs.stuck.control.fail_checkpoints(true)?;
        self.screen.aside("the trouble begins");
        while !self.screen.broken() && length.is_none_or(|l| time::since(self.started) < l) {
            self.grow_backlog()?;
            self.see_failures()?;
            self.see_checkpoints().await?;
            self.see_restart().await;
            self.see_death().await?;
            self.mend().await?;
            self.see_messages();
            self.sum_up().await;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// How it stands.
    pub(crate) async fn summary(&mut self) -> String {
        self.see_messages();
        Account::of(self.stage).await.table(self.truth)
    }

    fn grow_backlog(&mut self) -> Result<()> {
        let backlog = time::since(self.started).as_secs() * FALLING_BEHIND;
        if backlog != self.truth.backlog {
            self.stage.jobs().lagging.control.set_backlog(backlog)?;
            self.truth.backlog = backlog;
        }
        Ok(())
    }

    fn see_failures(&mut self) -> Result<()> {
        let Jobs { crashing: job, dying, .. } = self.stage.jobs();
        if !self.ordered_to_die && time::since(self.started) >= DEATH {
            self.ordered_to_die = true;
            dying.control.crash_message(CAUSE)?;
            dying.control.crash_times(1, Duration::ZERO)?;
        }
        let deaths = dying.control.failures()?;
        let failures = job.control.failures()?;
        if self.truth.failures - self.crashes < deaths {
            self.screen.came_in(&format!("{} dies: it has no restart strategy", dying.name));
        }
        for number in self.crashes + 1..=failures {
            let name = job.name;
            let then = if number < LAST_FAILURE { ", it restarts by itself" } else { "" };
            self.screen.came_in(&format!("{name} crashes: failure {number}{then}"));
        }
        self.crashes = failures;
        self.truth.failures = failures + deaths;
        Ok(())
    }

    /// What Weir does about the job that died.
    async fn see_restart(&mut self) {
        let name = self.stage.jobs().dying.name;
        let path = format!("/api/v1/restarts?job=demo/{name}&limit=1");
        let Ok(answer) = self.stage.weir.get(&path).await else { return };
        let word = |key: &str| answer[0][key].as_str().unwrap_or_default().to_owned();
        let (state, from) = (word("state"), word("from"));
        if state == self.restart {
            return;
        }
        let from = from.rsplit('/').next().unwrap_or_default();
        let said = match state.as_str() {
            "planned" => format!("Weir will restart {name} by itself (`mode: automatic`)"),
            "running" => format!("Weir restarted {name} from {from} and watches its new run"),
            "verified" => format!("{name} runs from {from} and completed a checkpoint: verified"),
            _ => format!("Weir's restart of {name}: {state} {}", word("note")),
        };
        self.restart = state;
        self.screen.aside(&said);
    }

    async fn see_checkpoints(&mut self) -> Result<()> {
        let job = &self.stage.jobs().stuck;
        let Ok(checkpoints) = self.stage.flink().rest().checkpoints(&job.id).await else {
            return Ok(());
        };
        let failed = checkpoints["counts"]["failed"].as_u64().unwrap_or(0);
        for number in self.truth.failed_checkpoints + 1..=failed {
            // The job still says RUNNING: this is what nobody sees.
            if number <= 3 || number % 5 == 0 {
                let text = format!("{} runs on, but checkpoints fail: {number} so far", job.name);
                self.screen.came_in(&text);
            }
        }
        self.truth.failed_checkpoints = failed;
        if !self.storage_mended && time::since(self.started) >= STORAGE {
            self.storage_mended = true;
            job.control.fail_checkpoints(false)?;
            self.screen.aside("somebody makes space on the checkpoint storage");
        }
        Ok(())
    }

    async fn see_death(&mut self) -> Result<()> {
        let job = &self.stage.jobs().crashing;
        if self.died.is_none()
            && self.crashes >= LAST_FAILURE
            && self.stage.flink().job_state(&job.id).await.is_ok_and(|state| state == "FAILED")
        {
            self.died = Some(time::now());
            self.screen.came_in(&format!("{} is FAILED: Flink gives up on it", job.name));
        }
        Ok(())
    }

    async fn mend(&mut self) -> Result<()> {
        let job = &self.stage.jobs().crashing;
        if !self.again && self.died.is_some_and(|at| time::since(at) >= MENDING) {
            self.again = true;
            job.control.crash_off()?;
            self.stage.start_again(job).await?;
            let text = "somebody skips the bad record and starts the job from its last checkpoint";
            self.screen.aside(&format!("{}: {text}", job.name));
        }
        Ok(())
    }

    fn see_messages(&mut self) {
        for received in self.stage.feishu().accepted().iter().skip(self.cards) {
            self.screen.went_out("Feishu card", &card(received));
            self.cards += 1;
        }
        for mail in self.stage.smtp().mails().iter().skip(self.mails) {
            let subject = mail.header("subject").unwrap_or("no subject");
            self.screen.went_out(&format!("mail to {MAILBOX}: {subject}"), &[]);
            self.mails += 1;
        }
    }

    async fn sum_up(&mut self) {
        if time::since(self.summed_up) >= SUMMARY {
            self.summed_up = time::now();
            let line = Account::of(self.stage).await.line(self.truth);
            self.screen.aside(&line);
            if self.over() && !self.over_said {
                self.over_said = true;
                self.screen.aside("the story is told; have a look at the pages");
            }
        } else {
            self.screen.progress(&self.what_next());
        }
    }

    fn over(&self) -> bool {
        self.again && self.storage_mended && self.cards >= 8
    }

    fn what_next(&self) -> String {
        let next = match (self.died, self.again) {
            _ if self.over() => "all is told",
            (None, _) => "the crash loop goes on until Flink gives up",
            (Some(_), false) => "the dead job waits for somebody",
            (Some(_), true) => "well again, to be believed after a quiet minute",
        };
        format!("{} cards, {} mails so far · {next}", self.cards, self.mails)
    }
}
