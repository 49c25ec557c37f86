//! Whose turn it is: memories of the listed runs, and calls for those that need some.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::model::{RunId, Seen, Time, Ts};

use super::fetch::{self, Api, JobFacts};
use super::observe::Row;
use super::plan::RunMemory;
use super::wanted::{self, Wanted};

/// Calls to one cluster at the same time.
const CONCURRENT: usize = 8;
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

/// Looks at every run that needs it, some at a time, until the deadline. `None`: its turn did not
/// come, or did not end.
pub(super) async fn gather(
    api: Api<'_>,
    memory: &HashMap<RunId, RunMemory>,
    rows: &[Row],
    wanted: &Wanted,
    frozen: bool,
    now: Time,
    deadline: &mut std::pin::Pin<&mut tokio::time::Sleep>,
) -> Vec<Option<JobFacts>> {
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
    // Those the last poll had no time for come first, then live ones, then the newest.
    turns.sort_by_key(|(_, row, memory)| {
        (!memory.cut_off, row.state.is_terminal(), std::cmp::Reverse(row.run.start_time))
    });
    let mut waiting = turns.into_iter();
    let mut flying = FuturesUnordered::new();
    loop {
        while flying.len() < CONCURRENT
            && let Some((index, row, memory)) = waiting.next()
        {
            let look = fetch::look_at(api, memory, row, wanted, frozen, now.steady);
            flying.push(async move { (index, look.await) });
        }
        tokio::select! {
            biased;
            look = flying.next() => match look {
                Some((index, found)) => {
                    if let Some(slot) = facts.get_mut(index) {
                        *slot = Some(found);
                    }
                }
                None => break,
            },
            () = deadline.as_mut() => break,
        }
    }
    drop(flying);
    facts
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
