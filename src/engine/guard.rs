//! The guard on the wire behind the exact budgets. It should never have to step in: if it does, the
//! arithmetic is wrong, which is counted and logged, and the send waits.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::error;

use crate::notify::{Budget, Settings};

/// One limiter per limit of each endpoint.
#[derive(Debug, Default)]
pub(super) struct WireGuard {
    limiters: BTreeMap<String, Vec<DefaultDirectRateLimiter>>,
    trips: AtomicU64,
}

impl WireGuard {
    /// From the budgets of all channels.
    pub(super) fn new(settings: &Settings) -> Arc<WireGuard> {
        let mut limiters: BTreeMap<String, Vec<DefaultDirectRateLimiter>> = BTreeMap::new();
        for plan in settings.receivers.values().flat_map(|r| &r.channels) {
            for budget in &plan.budgets {
                limiters.entry(plan.endpoint.clone()).or_default().extend(limiter(*budget));
            }
        }
        Arc::new(WireGuard { limiters, trips: AtomicU64::new(0) })
    }

    /// Returns at once, unless the budget's arithmetic was wrong.
    pub(super) async fn pass(&self, endpoint: &str) {
        for limiter in self.limiters.get(endpoint).into_iter().flatten() {
            if limiter.check().is_err() {
                self.trips.fetch_add(1, Ordering::Relaxed);
                error!(endpoint, "a budget was about to be exceeded; this is a bug in weir");
                limiter.until_ready().await;
            }
        }
    }

    /// How often it had to step in.
    pub(super) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

/// A tenth looser than the budget: a send starts a moment after it was decided.
fn limiter(budget: Budget) -> Option<DefaultDirectRateLimiter> {
    let burst = NonZeroU32::new(budget.messages + (budget.messages / 10).max(1))?;
    let quota = Quota::with_period(budget.per / budget.messages.max(1))?.allow_burst(burst);
    Some(RateLimiter::direct(quota))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn guard(budget: Budget) -> WireGuard {
        let limiters = BTreeMap::from([("bot".to_owned(), Vec::from_iter(limiter(budget)))]);
        WireGuard { limiters, trips: AtomicU64::new(0) }
    }

    #[tokio::test]
    async fn lets_a_budget_through_and_counts_what_is_beyond_it() {
        let guard = guard(Budget { messages: 3, per: Duration::from_millis(300) });
        for _ in 0..4 {
            guard.pass("bot").await;
        }
        assert_eq!(guard.trips(), 0);
        guard.pass("bot").await;
        assert_eq!(guard.trips(), 1);
        guard.pass("another").await;
        assert_eq!(guard.trips(), 1);
    }
}
