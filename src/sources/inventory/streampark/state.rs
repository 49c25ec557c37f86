//! StreamPark's numbers for states and modes; the same in 2.0 to 2.2.

use crate::model::{DeployMode, Says};

/// Number, word, meaning.
const STATES: [(i64, &str, Says); 22] = [
    (0, "ADDED", Says::Nothing),
    (1, "INITIALIZING", Says::Changes),
    (2, "CREATED", Says::Changes),
    (3, "STARTING", Says::Changes),
    (4, "RESTARTING", Says::Runs),
    (5, "RUNNING", Says::Runs),
    (6, "FAILING", Says::Changes),
    (7, "FAILED", Says::Failed),
    (8, "CANCELLING", Says::Changes),
    (9, "CANCELED", Says::Ended),
    (10, "FINISHED", Says::Ended),
    (11, "SUSPENDED", Says::Changes),
    (12, "RECONCILING", Says::Changes),
    // An end state there: it is not looked at again, whatever becomes of it.
    (13, "LOST", Says::Lost),
    (14, "MAPPING", Says::Changes),
    (15, "OTHER", Says::Nothing),
    (16, "REVOKED", Says::Nothing),
    // The Kubernetes API did not answer for a while.
    (17, "SILENT", Says::Changes),
    (18, "TERMINATED", Says::Ended),
    (19, "POS_TERMINATED", Says::Ended),
    (20, "SUCCEEDED", Says::Ended),
    (-9, "KILLED", Says::Ended),
];

/// The word for a state and what it means; for a number of another version, the number.
pub(super) fn state(number: Option<i64>) -> (String, Says) {
    let Some(number) = number else { return (String::new(), Says::Nothing) };
    let known = STATES.iter().find(|(known, ..)| *known == number);
    known.map_or_else(
        || (number.to_string(), Says::Nothing),
        |(_, word, says)| ((*word).to_owned(), *says),
    )
}

/// `execution_mode`, later `deploy_mode`.
pub(super) fn mode(number: Option<i64>) -> DeployMode {
    match number {
        Some(0) => DeployMode::Local,
        Some(1) => DeployMode::Standalone,
        Some(2) => DeployMode::YarnPerJob,
        Some(3) => DeployMode::YarnSession,
        Some(4) => DeployMode::YarnApplication,
        Some(5) => DeployMode::KubernetesSession,
        Some(6) => DeployMode::KubernetesApplication,
        _ => DeployMode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_words() {
        for (number, word, says) in [
            (Some(5), "RUNNING", Says::Runs),
            (Some(13), "LOST", Says::Lost),
            (Some(-9), "KILLED", Says::Ended),
            (Some(99), "99", Says::Nothing),
            (None, "", Says::Nothing),
        ] {
            assert_eq!(state(number), (word.to_owned(), says));
        }
        let mut numbers: Vec<i64> = STATES.iter().map(|(number, ..)| *number).collect();
        numbers.dedup();
        assert_eq!(numbers.len(), STATES.len());
        assert_eq!(mode(Some(-1)), DeployMode::Unknown);
    }
}
