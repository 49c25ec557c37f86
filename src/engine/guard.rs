//! The guard on the wire behind the exact budgets. It should never have to step in: if it does, the
//! arithmetic is wrong, which is counted and logged, and the send waits.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::error;

use crate::notify::{Budget, ChannelPlan};

/// Limiters of one endpoint, and the budgets they stand for.
#[derive(Debug)]
struct Limiters {
    budgets: Vec<Budget>,
    each: Vec<DefaultDirectRateLimiter>,
}

/// One limiter per limit of each endpoint.
#[derive(Debug, Default)]
pub(super) struct WireGuard {
    limiters: BTreeMap<String, Arc<Limiters>>,
    trips: Arc<AtomicU64>,
}

impl WireGuard {
    /// From the budgets of all channels.
    pub(super) fn new<'a>(plans: impl Iterator<Item = &'a ChannelPlan>) -> Arc<WireGuard> {
        WireGuard::default().reloaded(plans)
    }

    /// For other channels; what is known of endpoints whose budgets stay is kept.
    pub(super) fn reloaded<'a>(
        &self,
        plans: impl Iterator<Item = &'a ChannelPlan>,
    ) -> Arc<WireGuard> {
        let mut budgets: BTreeMap<String, Vec<Budget>> = BTreeMap::new();
        for plan in plans {
            budgets.entry(plan.endpoint.clone()).or_default().extend(&plan.budgets);
            if let Some(edits) = &plan.edits {
                budgets.entry(plan.edit_endpoint()).or_default().extend(&edits.budgets);
            }
        }
        let build = |(endpoint, budgets): (String, Vec<Budget>)| {
            let known = self.limiters.get(&endpoint).filter(|known| known.budgets == budgets);
            let limiters = known.cloned().unwrap_or_else(|| {
                let each = budgets.iter().filter_map(|b| limiter(*b)).collect();
                Arc::new(Limiters { budgets, each })
            });
            (endpoint, limiters)
        };
        let limiters = budgets.into_iter().map(build).collect();
        Arc::new(WireGuard { limiters, trips: Arc::clone(&self.trips) })
    }

    /// Returns at once, unless the budget's arithmetic was wrong.
    pub(super) async fn pass(&self, endpoint: &str) {
        for limiter in self.limiters.get(endpoint).iter().flat_map(|limiters| &limiters.each) {
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

    fn plan(budget: Budget) -> ChannelPlan {
        ChannelPlan {
            id: crate::model::ChannelId { receiver: "a".to_owned(), channel: "b".to_owned() },
            kind: "webhook".to_owned(),
            endpoint: "bot".to_owned(),
            budgets: vec![budget],
            send_resolved: true,
            per_incident: false,
            resend: None,
            standby: false,
            marks: false,
            fallback: None,
            edits: None,
        }
    }

    #[tokio::test]
    async fn lets_a_budget_through_and_counts_what_is_beyond_it() {
        let plan = plan(Budget { messages: 3, per: Duration::from_millis(300) });
        let guard = WireGuard::new(std::iter::once(&plan));
        for _ in 0..4 {
            guard.pass("bot").await;
        }
        assert_eq!(guard.trips(), 0);
        guard.pass("bot").await;
        assert_eq!(guard.trips(), 1);
        guard.pass("another").await;
        assert_eq!(guard.trips(), 1);
        // The same budgets again: what was sent still counts.
        let again = guard.reloaded(std::iter::once(&plan));
        for _ in 0..3 {
            again.pass("bot").await;
        }
        assert!(again.trips() > 1);
    }
}
