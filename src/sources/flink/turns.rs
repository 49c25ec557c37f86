//! Whose turn it is: memories of the listed runs, and calls for those that need some.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::model::{RunId, Seen, Ts};

use super::fetch::{self, Api, JobFacts};
use super::observe::Row;
use super::order;
use super::plan::RunMemory;
use super::wanted::{self, Wanted};

/// A run that was replaced and ended longer ago than this is not looked into.
const HISTORY_MS: i64 = 600_000;

/// Makes a memory for every listed run and drops those of runs no longer listed.
pub(super) fn remember(
    known: &mut HashMap<RunId, RunMemory>,
    rows: &[Row],
    source_now: i64,
    now: Ts,
) {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for row in rows {
        let start = newest.entry(&row.name).or_insert(row.run.start_time);
        *start = row.run.start_time.max(*start);
    }
    for row in rows {
        let memory = match known.get_mut(&row.run) {
            Some(memory) => memory,
            None => known.entry(row.run.clone()).or_insert_with(|| {
                let mut memory = RunMemory::new(now);
                let replaced = newest.get(row.name.as_str()) > Some(&row.run.start_time);
                let ended = row.end_time.unwrap_or(source_now);
                if replaced
                    && row.state.is_terminal()
                    && source_now.saturating_sub(ended) > HISTORY_MS
                {
                    memory.skip();
                }
                memory
            }),
        };
        memory.listed(row, now);
    }
    known.retain(|_, memory| std::mem::take(&mut memory.listed));
}

/// What the looks into runs may take, and when they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// At the same time.
    pub(super) at_once: usize,
    /// Requests of the whole poll; there is always room for one run.
    pub(super) requests: u32,
    /// The metric store stands still, or is not to be trusted.
    pub(super) frozen: bool,
    /// Steady time of the poll.
    pub(super) now: Ts,
}

/// What the looks into runs brought.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Of each row. `None`: its turn did not come, or did not end.
    pub(super) facts: Vec<Option<JobFacts>>,
    /// Runs whose turn came.
    pub(super) turns: usize,
    /// Of these, runs with a call that took too long.
    pub(super) too_slow: usize,
}

/// Looks at every run that needs it, some at a time, until the deadline or as long as there is room.
pub(super) async fn gather(
    api: Api<'_>,
    memory: &HashMap<RunId, RunMemory>,
    rows: &[Row],
    wanted: &Wanted,
    terms: Terms,
    deadline: &mut std::pin::Pin<&mut tokio::time::Sleep>,
) -> Gathered {
    let mut facts: Vec<Option<JobFacts>> = Vec::new();
    facts.resize_with(rows.len(), || None);
    let mut turns = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        match memory.get(&row.run) {
            Some(memory) if !memory.is_settled() => turns.push((index, row, memory)),
            _ => {
                if let Some(slot) = facts.get_mut(index) {
                    *slot = Some(settled(row, wanted));
                }
            }
        }
    }
    let turns = order::by_turn(turns, |(_, row, memory)| memory.standing(row));
    let mut waiting = turns.into_iter();
    let mut flying = FuturesUnordered::new();
    let (mut begun, mut too_slow) = (0, 0);
    loop {
        while flying.len() < terms.at_once
            && (begun == 0 || api.traffic.requests() < terms.requests)
            && let Some((index, row, memory)) = waiting.next()
        {
            begun += 1;
            let look = fetch::look_at(api, memory, row, wanted, terms.frozen, terms.now);
            flying.push(async move { (index, look.await) });
        }
        tokio::select! {
            biased;
            look = flying.next() => match look {
                Some((index, found)) => {
                    too_slow += usize::from(found.look.timed_out);
                    if let Some(slot) = facts.get_mut(index) {
                        *slot = Some(found);
                    }
                }
                None => break,
            },
            () = deadline.as_mut() => break,
        }
    }
    too_slow += flying.len();
    drop(flying);
    Gathered { facts, turns: begun, too_slow }
}

/// Nothing was asked; for a live run that Flink says is not there, nothing is known.
fn settled(row: &Row, wanted: &Wanted) -> JobFacts {
    if row.state.is_terminal() { JobFacts::default() } else { cut_off(row, wanted) }
}

/// The poll ended before this run's turn did.
pub(super) fn cut_off(row: &Row, wanted: &Wanted) -> JobFacts {
    let live = !row.state.is_terminal();
    let mut facts = JobFacts::default();
    if live {
        if wanted.demand.counters {
            facts.counters = Seen::Unknown;
        }
        wanted::all_unknown(&wanted.job, &mut facts.metrics);
        fetch::nothing_named(wanted, &mut facts.metrics, &mut facts.lag);
    }
    facts
}
