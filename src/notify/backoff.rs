//! When a failed send is tried again: exponential with jitter, honouring what the vendor asked for.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::model::Ts;

const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 300_000;
/// Whatever a vendor asks for, we look again after an hour.
const LONGEST_ASKED_MS: u64 = 3_600_000;
/// A message that could not be delivered for so long is given up.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

/// The next attempt after attempt number `attempts` failed at `now`. The jitter is drawn from the
/// message and the attempt, so that the same history gives the same times.
pub(super) fn next_attempt(now: Ts, message: u64, attempts: u32, asked_ms: Option<u64>) -> Ts {
    let exponent = attempts.saturating_sub(1).min(16);
    let base = FIRST_MS.saturating_mul(1 << exponent).min(LONGEST_MS);
    let digest = Sha256::digest(format!("{message}/{attempts}").as_bytes());
    let draw = u64::from(digest[0]) * 256 + u64::from(digest[1]);
    let jittered = base / 2 + base * draw / 65_535 / 2;
    let wait = jittered.max(asked_ms.unwrap_or(0).min(LONGEST_ASKED_MS));
    now + Duration::from_millis(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_is_capped_and_listens() {
        let wait = |attempts, asked| next_attempt(Ts(0), 7, attempts, asked).0;
        for attempts in 1..40 {
            assert!((500..=300_000).contains(&wait(attempts, None)), "{attempts}");
        }
        assert!(wait(9, None) > wait(1, None));
        assert!(wait(1, Some(20_000)) >= 20_000);
        assert_eq!(wait(1, Some(u64::MAX)), 3_600_000);
        assert_eq!(wait(3, None), wait(3, None));
        assert_ne!(next_attempt(Ts(0), 1, 5, None), next_attempt(Ts(0), 2, 5, None));
    }
}
