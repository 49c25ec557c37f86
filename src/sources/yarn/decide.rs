//! What YARN's word on an application means for its job: pure.
//!
//! The state alone misleads: an application of Flink that failed is `FINISHED`, because its
//! ApplicationMaster said goodbye properly, and only `finalStatus` tells how it ended.

use crate::model::JobState;

use super::app::{App, Outcome, State};

/// What has become of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits for its (next) ApplicationMaster.
    Waits,
    /// Its ApplicationMaster is there: Flink tells the rest.
    Runs,
    /// Its job ended so.
    Ended(JobState),
    /// It ended, and YARN does not know how: what was alive is gone.
    Gone,
    /// YARN says something nobody understands.
    Unknown,
}

/// YARN ends what has outlived its `lifetime`: nobody did that on purpose now.
const LIFETIME: &str = "exceeded the lifetime";

/// Reads state and final status together.
pub(super) fn fate(app: &App) -> Fate {
    let by_outcome = match app.outcome {
        Outcome::Succeeded => Fate::Ended(JobState::Finished),
        Outcome::Failed => Fate::Ended(JobState::Failed),
        // `flink cancel`, or `yarn application -kill`.
        Outcome::Killed => Fate::Ended(JobState::Canceled),
        Outcome::Undefined => Fate::Gone,
    };
    match app.state {
        State::Waiting => Fate::Waits,
        State::Running if app.outcome == Outcome::Undefined => Fate::Runs,
        // It has said goodbye, and its container is not gone yet.
        State::Running | State::Finished => by_outcome,
        State::Failed => Fate::Ended(JobState::Failed),
        State::Killed if app.diagnostics.contains(LIFETIME) => Fate::Ended(JobState::Failed),
        State::Killed => Fate::Ended(JobState::Canceled),
        State::Other => Fate::Unknown,
    }
}

/// What to say of the jobs of an application that is in the listing no more though it was alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vanished {
    /// Its JobManager answers: it lives, whatever YARN says.
    Lives,
    /// Nothing yet.
    Unseen,
    /// It is lost.
    Lost,
}

/// A JobManager has to be silent for so many looks before its job counts as lost.
pub(super) const SILENT_LOOKS: u8 = 3;

/// Lost is only what YARN, active and steady, does not list, and what does not answer either.
/// `steady`: the listing is to be believed.
pub(super) fn vanished(steady: bool, answers: bool, silent: u8) -> Vanished {
    match (answers, steady) {
        (true, _) => Vanished::Lives,
        (false, true) if silent >= SILENT_LOOKS => Vanished::Lost,
        (false, _) => Vanished::Unseen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_final_status_decide_together() {
        use JobState::{Canceled, Failed, Finished};
        let killed = "Application application_1_1 was killed by user root at 10.0.0.1";
        let old =
            "Application is killed by ResourceManager as it has exceeded the lifetime period.";
        for (state, outcome, diagnostics, expected) in [
            (State::Waiting, Outcome::Undefined, "", Fate::Waits),
            (State::Running, Outcome::Undefined, "", Fate::Runs),
            (State::Running, Outcome::Failed, "", Fate::Ended(Failed)),
            (State::Running, Outcome::Succeeded, "", Fate::Ended(Finished)),
            (State::Finished, Outcome::Succeeded, "", Fate::Ended(Finished)),
            (State::Finished, Outcome::Failed, "", Fate::Ended(Failed)),
            (State::Finished, Outcome::Killed, "", Fate::Ended(Canceled)),
            (State::Finished, Outcome::Undefined, "", Fate::Gone),
            (State::Failed, Outcome::Failed, "", Fate::Ended(Failed)),
            (State::Failed, Outcome::Undefined, "", Fate::Ended(Failed)),
            (State::Killed, Outcome::Killed, killed, Fate::Ended(Canceled)),
            (State::Killed, Outcome::Killed, old, Fate::Ended(Failed)),
            (State::Other, Outcome::Undefined, "", Fate::Unknown),
        ] {
            let diagnostics = diagnostics.to_owned();
            let app = App { state, outcome, diagnostics, ..App::default() };
            assert_eq!(fate(&app), expected, "{app:?}");
        }
    }

    #[test]
    fn nothing_is_lost_that_answers_or_while_yarn_is_not_steady() {
        for (steady, answers, silent, expected) in [
            (true, true, 0, Vanished::Lives),
            (false, true, 9, Vanished::Lives),
            (true, false, 1, Vanished::Unseen),
            (true, false, SILENT_LOOKS, Vanished::Lost),
            (false, false, 200, Vanished::Unseen),
        ] {
            assert_eq!(vanished(steady, answers, silent), expected, "{steady} {answers} {silent}");
        }
    }
}
