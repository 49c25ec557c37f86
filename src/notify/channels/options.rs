//! Options several channels share.

use std::time::Duration;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::BuildError;
use crate::notify::Budget;

/// A hard limit: at most so many messages in any window of this length; retries count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// How many messages.
    pub messages: u32,
    /// In any window of this length, such as `1m`.
    pub per: SignedDuration,
}

impl BudgetConfig {
    /// The limit as the pipeline counts it.
    pub fn budget(self) -> Budget {
        Budget { messages: self.messages, per: span(self.per) }
    }

    /// Whoever keeps the vendor's `most` can never make use of more: that is a mistake.
    ///
    /// # Errors
    /// Names the limit it is above.
    pub(super) fn check(self, vendor: &str, most: Budget) -> Result<(), BuildError> {
        let own = self.budget();
        if own.per <= most.per && own.messages > most.messages {
            let (messages, per) = (most.messages, most.per.as_secs());
            return Err(BuildError(format!(
                "`budget` is more than {vendor} takes ({messages} in {per} s; leave it out for \
                 what is safe)"
            )));
        }
        Ok(())
    }
}

/// Like [`BudgetConfig::check`], for a vendor with several limits.
pub(super) fn check_budget(
    own: Option<BudgetConfig>,
    vendor: &str,
    most: &[Budget],
) -> Result<(), BuildError> {
    own.map_or(Ok(()), |own| most.iter().try_for_each(|most| own.check(vendor, *most)))
}

/// The limits of a bot: `safe` if none is configured, else the configured one beside the vendor's
/// own, which holds whatever is configured.
pub(super) fn limits(own: Option<BudgetConfig>, safe: Budget, most: Budget) -> Vec<Budget> {
    match own {
        None => vec![safe],
        Some(own) => vec![own.budget(), most],
    }
}

/// A duration of the configuration; negative ones are none.
pub(super) fn span(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

/// The durations of channels that have bounds, whatever channel they are of: key, least and most.
pub const BOUNDS: [Bounds; 4] = [TIMEOUT_BOUNDS, CONFIRM_BOUNDS, RESEND_BOUNDS, EDIT_BOUNDS];
/// A try longer than that holds up what waits behind it.
pub(super) const TIMEOUT_BOUNDS: Bounds =
    ("timeout", Duration::from_millis(100), Duration::from_mins(2));
/// As for a try.
pub(super) const CONFIRM_BOUNDS: Bounds =
    ("confirm_within", Duration::from_secs(1), Duration::from_mins(2));
/// Later, Alertmanager would take alerts for over.
pub(super) const RESEND_BOUNDS: Bounds =
    ("resend_interval", Duration::from_secs(1), Duration::from_mins(10));
/// Later, what a message shows would be of the past.
pub(super) const EDIT_BOUNDS: Bounds =
    ("edit_every", Duration::from_secs(1), Duration::from_hours(1));

/// Key, least and most.
pub type Bounds = (&'static str, Duration, Duration);

/// A configured duration, or what it is when none is, within its bounds. The configuration is
/// checked against them; this holds for whoever comes past that.
pub(super) fn bounded(
    configured: Option<SignedDuration>,
    usual: Duration,
    (_, least, most): Bounds,
) -> Duration {
    configured.map_or(usual, span).clamp(least, most)
}

/// Changes that are no news are shown this long after the last edit of a message.
const EDIT_EVERY: Duration = Duration::from_secs(30);

/// The configured time between edits.
pub(super) fn edit_every(configured: Option<SignedDuration>) -> Duration {
    bounded(configured, EDIT_EVERY, EDIT_BOUNDS)
}

/// How long a send may take when nothing is configured.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The configured time limit.
pub(super) fn timeout(configured: Option<SignedDuration>) -> Duration {
    bounded(configured, TIMEOUT, TIMEOUT_BOUNDS)
}

/// Names an endpoint without telling what it is: 16 hex digits.
pub(super) fn endpoint_hash(kind: &str, address: &str) -> String {
    hex(&Sha256::digest(format!("{kind}\n{address}")).as_slice()[..8])
}

/// Lowercase hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
