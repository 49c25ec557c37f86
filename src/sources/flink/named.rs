//! Numbers of vertices and operators: where they are found, when to read them, and what the
//! answers say. Pure; `fetch` makes the calls.

use std::time::Duration;

use crate::model::{Lag, Metrics, Seen, Ts};

use super::observe::Row;
use super::wanted::{self, Fold, Wanted, Wish};
use super::wire;

/// What nobody needs at every poll is read this often, a little less than half a minute: polls come
/// early at times.
const SLOW: Duration = Duration::from_secs(28);
/// Flink collects the numbers of new tasks every ten seconds, and sources register some with their
/// first record: looked for again this often …
const AT_ONCE: Duration = Duration::from_secs(8);
/// … for so long, …
const NEW: Duration = Duration::from_secs(25);
/// … then less often …
const SOON: Duration = Duration::from_secs(30);
/// … for so long …
const YOUNG: Duration = Duration::from_mins(3);
/// … and then this often.
const ROUTINE: Duration = Duration::from_mins(5);
/// Vertices looked at; a job graph has few, a hostile one may have any number.
const MAX_VERTICES: usize = 64;
/// Ids read of one vertex.
const MAX_IDS: usize = 64;
/// Flink's HTTP server refuses a first line beyond 4096 bytes as an unknown path; prefixes of
/// proxies come on top of ours.
const MAX_PATH: usize = 3_500;

/// A vertex whose numbers are read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) is_source: bool,
    pub(super) is_sink: bool,
    pub(super) parallelism: u32,
    /// The ids that are meant by what is wanted, of those it has.
    pub(super) ids: Vec<String>,
    /// How many of them come first because they are read at every poll.
    pub(super) often: usize,
    /// It named no ids at all: its tasks have not reported yet.
    pub(super) blank: bool,
}

/// Where a run's numbers are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct NamedMemory {
    nodes: Vec<Node>,
    looked_at: Option<Ts>,
    /// First look since the last restart.
    young_since: Option<Ts>,
    restarts: Option<u64>,
    /// Something wanted is nowhere.
    missing: bool,
    slow_at: Option<Ts>,
    /// Tries in a row to find out where its numbers are that failed.
    misses: u32,
    /// Not tried again before this time.
    try_again: Option<Ts>,
    /// Which demand the ids were chosen for.
    generation: u64,
}

/// What to read of a run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NamedCalls {
    /// Find out where it is.
    pub(super) discover: bool,
    /// Read what is wanted at every poll.
    pub(super) often: bool,
    /// Read everything else too.
    pub(super) slow: bool,
    /// Where it is could not be found out, and is not asked for now.
    pub(super) waits: bool,
}

/// What was read of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct NamedLook {
    pub(super) calls: NamedCalls,
    /// Newly found.
    pub(super) nodes: Option<Vec<Node>>,
    /// An id that was there is no more, or nothing could be found out.
    pub(super) lost: bool,
    /// A call failed.
    pub(super) failed: bool,
}

impl NamedMemory {
    /// What to read now; nothing of tasks that do not run, whose numbers are those of their last
    /// breath.
    pub(super) fn plan(
        &self,
        row: &Row,
        restarts: Option<u64>,
        wanted: &Wanted,
        now: Ts,
    ) -> NamedCalls {
        if wanted.vertex.is_empty() || !row.is_healthy() {
            return NamedCalls::default();
        }
        let since = |at: Option<Ts>| at.map_or(Duration::MAX, |at| now.since(at));
        let again = match since(self.young_since) {
            age if age < NEW => AT_ONCE,
            age if age < YOUNG => SOON,
            _ => ROUTINE,
        };
        let restarted = restarts.is_some() && restarts != self.restarts;
        let unknown = self.looked_at.is_none() || wanted.generation != self.generation;
        let wanted_anew = unknown || restarted || (self.missing && since(self.looked_at) >= again);
        // A time further off than any wait is from a clock that was set back since.
        let waits = self.try_again.is_some_and(|at| at > now && at.since(now) <= ROUTINE);
        if unknown && waits {
            return NamedCalls { waits, ..NamedCalls::default() };
        }
        let discover = wanted_anew && !waits;
        let slow_due = discover || since(self.slow_at) >= SLOW;
        NamedCalls {
            discover,
            often: discover || self.nodes.iter().any(|n| n.often > 0),
            slow: slow_due && (discover || self.nodes.iter().any(|n| n.often < n.ids.len())),
            waits: false,
        }
    }

    /// It began or restarted a moment ago: not all of its numbers are there yet.
    pub(super) fn is_young(&self, restarts: Option<u64>, now: Ts) -> bool {
        let restarted = restarts.is_some() && restarts != self.restarts;
        restarted || self.young_since.is_none_or(|at| now.since(at) < YOUNG)
    }

    /// Takes in how the calls went.
    pub(super) fn remember(
        &mut self,
        look: &NamedLook,
        restarts: Option<u64>,
        job_id: &str,
        wanted: &Wanted,
        now: Ts,
    ) {
        if let Some(nodes) = &look.nodes {
            let has = |wish: &Wish| nodes.iter().any(|n| wish.chosen(n.ids()).next().is_some());
            // A source may tell of its lag only once it has read something.
            let silent = |n: &Node| {
                let of_sources = wanted.vertex.iter().filter(|w| w.is_of_sources());
                n.is_source && of_sources.into_iter().any(|w| w.chosen(n.ids()).next().is_none())
            };
            self.missing =
                nodes.iter().any(|n| n.blank || silent(n)) || !wanted.vertex.iter().all(has);
            let restarted = restarts.is_some() && restarts != self.restarts;
            if self.young_since.is_none() || restarted {
                self.young_since = Some(now);
            }
            self.nodes.clone_from(nodes);
            self.looked_at = Some(now);
            self.restarts = restarts.or(self.restarts);
            self.generation = wanted.generation;
        }
        if look.calls.discover {
            self.misses = if look.nodes.is_some() { 0 } else { self.misses.saturating_add(1) };
            self.try_again = (self.misses > 0).then(|| now + pause(self.misses));
        }
        if look.calls.slow && !look.failed {
            // Jobs found by one poll are not all read again by one poll.
            let spread = if self.slow_at.is_none() { phase(job_id) } else { Duration::ZERO };
            self.slow_at = Some(now - spread);
        }
        if look.lost {
            self.looked_at = None;
        }
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

/// How long where it is is not asked for after so many tries that failed: one may have been bad luck.
fn pause(misses: u32) -> Duration {
    let Some(doublings) = misses.checked_sub(2) else { return Duration::ZERO };
    SOON.saturating_mul(1 << doublings.min(8)).min(ROUTINE)
}

/// A part of [`SLOW`] that is the job's own.
fn phase(job_id: &str) -> Duration {
    let hash = job_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Duration::from_millis(hash % (SLOW.as_millis() as u64))
}

impl Node {
    /// Chooses from the ids a vertex has those that are wanted.
    pub(super) fn choose(&mut self, wishes: &[Wish], listed: &[wire::Aggregate]) {
        let all = || listed.iter().filter_map(|m| m.id.as_deref());
        let of = |often: bool| {
            let (source, sink) = (self.is_source, self.is_sink);
            let about = move |w: &&Wish| w.often == often && w.is_about(source, sink);
            wishes.iter().filter(about).flat_map(|w| w.chosen(all()))
        };
        let mut ids: Vec<String> = Vec::new();
        for id in of(true) {
            if ids.len() < MAX_IDS && !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        let often = ids.len();
        for id in of(false) {
            if ids.len() < MAX_IDS && !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        (self.ids, self.often) = (ids, often);
        self.blank = listed.is_empty();
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> + Clone {
        self.ids.iter().map(String::as_str)
    }

    /// The paths to read: one, unless names are so long that Flink would not take it.
    pub(super) fn paths(&self, base: &str, wishes: &[Wish], slow: bool) -> Vec<String> {
        let ids =
            if slow { self.ids.as_slice() } else { self.ids.get(..self.often).unwrap_or(&[]) };
        let asked = |wish: &&Wish| (slow || wish.often) && wish.chosen(self.ids()).next().is_some();
        let agg = wanted::aggregates(&wishes.iter().filter(asked));
        paths(base, ids, &agg)
    }
}

/// Paths that ask for these ids.
fn paths(base: &str, ids: &[String], agg: &str) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for id in ids {
        let id = super::fetch::encode(id);
        match lists.last_mut() {
            Some(list) if list.len() + id.len() < MAX_PATH => {
                list.push(',');
                list.push_str(&id);
            }
            _ => lists.push(id),
        }
    }
    lists.into_iter().map(|list| format!("{base}?get={list}&agg={agg}")).collect()
}

/// The vertices something is wanted of.
pub(super) fn interesting(detail: &wire::JobDetail, wanted: &Wanted) -> Vec<Node> {
    let mut nodes = super::observe::graph(detail);
    let about = |n: &Node| wanted.vertex.iter().any(|w| w.is_about(n.is_source, n.is_sink));
    nodes.retain(about);
    nodes.truncate(MAX_VERTICES);
    nodes
}

/// What the answers say of everything that was asked. `None` as an answer: the call failed, or came
/// back empty because an id is gone.
pub(super) fn fold(
    wanted: &Wanted,
    nodes: &[Node],
    answers: &[Option<Vec<wire::Aggregate>>],
    calls: NamedCalls,
) -> (Metrics, Seen<Lag>) {
    let mut metrics = Metrics::new();
    let mut lag = Seen::NotAsked;
    for (index, wish) in wanted.vertex.iter().enumerate() {
        if !calls.slow && !wish.often {
            continue;
        }
        let seen = one(wish, nodes, answers);
        if wanted.lag == Some(index) {
            lag = match seen.clone() {
                Seen::Fresh(records) => Seen::Fresh(Lag { records: Some(records.max(0.0)) }),
                Seen::NotApplicable => Seen::NotApplicable,
                Seen::Unknown | Seen::NotAsked => Seen::Unknown,
            };
        }
        wish.put(&mut metrics, seen);
    }
    (metrics, lag)
}

/// What the answers of several vertices say of one wish.
pub(super) fn one(
    wish: &Wish,
    nodes: &[Node],
    answers: &[Option<Vec<wire::Aggregate>>],
) -> Seen<f64> {
    let mut fold = Fold::default();
    let mut name = None;
    for (node, answer) in nodes.iter().zip(answers) {
        if !wish.is_about(node.is_source, node.is_sink) {
            continue;
        }
        if node.blank {
            return Seen::Unknown;
        }
        for id in wish.chosen(node.ids()) {
            let Some(answer) = answer else { return Seen::Unknown };
            if let Some(found) = answer.iter().find(|m| m.id.as_deref() == Some(id)) {
                fold.add(wish.across, found, node.parallelism);
            }
            name = Some(id);
        }
    }
    name.map_or(Seen::NotApplicable, |id| fold.seen(wish.across, id))
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
