//! A job as other sources show it, beside its own or in its place.

use std::time::Duration;

use super::{JobTrack, SourceTrack};
use crate::model::{RunObservation, SeenBy, Time, Ts};

/// The last word of another source is good for this long.
const GOOD_FOR: Duration = Duration::from_mins(5);

impl JobTrack {
    /// Takes in what another source says; true if that is something else than before.
    pub(super) fn hear_twin(&mut self, said: SeenBy) -> bool {
        let known = self.seen_by.iter_mut().find(|seen| seen.source == said.source);
        let Some(known) = known else {
            self.seen_by.push(said);
            self.seen_by.sort_by(|a, b| a.source.cmp(&b.source));
            return true;
        };
        let news = !known.is_same(&said);
        *known = said;
        news
    }

    /// Its own source showed it at the last look.
    pub(super) fn is_shown_by(&self, source: &SourceTrack) -> bool {
        if self.current().is_some_and(|run| run.archived) {
            return true;
        }
        let up = source.last_success.filter(|_| source.is_up()).map(|last| last.steady);
        let looked = source.unlisted_at.or(up);
        let shown = looked.is_some_and(|looked| self.own_seen.is_some_and(|at| at >= looked));
        shown && !source.unseen.contains_key(&self.flink_cluster)
    }

    /// Another source showed it alive at its last look; `looked`: when that was, of one that can be
    /// seen.
    pub(super) fn lives_elsewhere(&self, looked: impl Fn(&str) -> Option<Ts>) -> bool {
        let shown = |seen: &SeenBy| looked(&seen.source).is_some_and(|at| seen.heard >= at);
        self.seen_by.iter().any(|seen| seen.state.is_live() && shown(seen))
    }

    /// Forgets what other sources said long ago.
    pub(super) fn forget_old_words(&mut self, now: Ts) {
        self.seen_by.retain(|seen| now.since(seen.heard) <= GOOD_FOR);
    }

    /// Takes in its runs as another source shows them, while its own does not; what is not shown
    /// there says nothing, and without the run that counts nothing is said of it. Returns how many
    /// failures were added.
    pub(super) fn observe_through(
        &mut self,
        time: Time,
        source: &SourceTrack,
        seen: &[&RunObservation],
    ) -> u64 {
        let counts = self.current().map(|run| run.id.clone());
        if seen.iter().all(|seen| Some(&seen.run) < counts.as_ref()) {
            return 0;
        }
        let before = self.failures_total;
        let was = (self.missing_since, self.live_runs, self.healthy_since.is_some());
        self.last_seen = time.steady;
        self.eyes = Some((source.name.clone(), time.steady));
        for run in &mut self.runs {
            run.listed = false;
        }
        for observation in seen {
            let own = RunObservation {
                labels: self.labels.clone(),
                flink_cluster: self.flink_cluster.clone(),
                ..(*observation).clone()
            };
            self.observe_run(time, source, source.source_now(time), &own, false);
        }
        self.drop_unlisted(false);
        if self.current().is_some_and(|run| run.listed) {
            self.missing_since = None;
        }
        self.note_life(time);
        self.trim();
        self.dirty |= was != (self.missing_since, self.live_runs, self.healthy_since.is_some());
        self.failures_total.saturating_sub(before)
    }
}
