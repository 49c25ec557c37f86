//! How often one endpoint may be asked.

use std::num::NonZeroU32;
use std::time::Duration;

/// What is asked of one endpoint at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests in a second.
    pub requests_per_second: NonZeroU32,
    /// Time between two looks.
    pub interval: Duration,
}

/// More than a look at a thousand jobs takes.
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();

impl Default for Pace {
    fn default() -> Pace {
        Pace { requests_per_second: REQUESTS_PER_SECOND, interval: Duration::from_secs(10) }
    }
}

impl Pace {
    /// Requests that fit between two looks.
    pub fn per_look(&self) -> u32 {
        let millis = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        let all = u64::from(self.requests_per_second.get()).saturating_mul(millis) / 1_000;
        u32::try_from(all).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_gets_what_fits_until_the_next() {
        let per_look = |rate, millis| {
            let interval = Duration::from_millis(millis);
            Pace { requests_per_second: NonZeroU32::new(rate).unwrap(), interval }.per_look()
        };
        for (rate, millis, expected) in
            [(200, 10_000, 2_000), (5, 10_000, 50), (1, 500, 0), (3, 1_500, 4)]
        {
            assert_eq!(per_look(rate, millis), expected, "{rate}/s, {millis} ms");
        }
        assert_eq!(per_look(u32::MAX, u64::MAX), u32::MAX);
    }
}
