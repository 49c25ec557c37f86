//! Events as bytes, each against what was known after the one before.

use std::collections::BTreeMap;

use super::bytes::{Bytes, Damaged, put_bytes, put_i64, put_u64};
use super::delta::Delta;
use super::event::{Base, DemandNote, Event, SentNote};
use super::inventory::{EntryMemory, RecordedMemory};
use super::list::List;
use super::observed::{ClusterMemory, RunMemory};
use crate::model::{
    ClusterObservation, Command, Completeness, Demand, InventoryCheckpoint, InventoryEntry,
    RunObservation, SendOutcome, Snapshot, SourceClock, Time, Told, Ts,
};

const BASE: u8 = 1;
const SNAPSHOT: u8 = 2;
const DEADLINE: u8 = 3;
const DELIVERED: u8 = 4;
const RETRY: u8 = 5;
const REJECTED: u8 = 6;
const RELOAD: u8 = 7;
const SENT: u8 = 8;
const COMMAND: u8 = 9;
const ACTED: u8 = 10;
const ACCEPTED: u8 = 20;
const GONE: u8 = 21;

/// What both sides know of a segment so far.
#[derive(Default)]
pub(super) struct Coder {
    steady: i64,
    /// Wall time minus steady time.
    apart: i64,
    /// Sources by name, in the order in which they came.
    names: Vec<String>,
    sources: BTreeMap<usize, SourceMemory>,
}

#[derive(Default)]
struct SourceMemory {
    poller: String,
    completeness: Option<Completeness>,
    version: <Option<String> as Delta>::Memory,
    metrics_frozen: bool,
    clusters: List<ClusterMemory>,
    runs: List<RunMemory>,
    inventory: List<EntryMemory>,
    recorded: List<RecordedMemory>,
    offset: i64,
}

const POLLER: u64 = 1;
const COMPLETENESS: u64 = 2;
const VERSION: u64 = 4;
const FROZEN: u64 = 8;
const CLUSTERS: u64 = 16;
const RUNS: u64 = 32;
const CLOCK: u64 = 64;
/// A look that took a second or longer.
const SLOW: u64 = 128;
const INVENTORY: u64 = 256;
const RECORDED: u64 = 512;
const LIMIT: u64 = 1024;

impl Coder {
    fn put_head(&mut self, kind: u8, time: Time, out: &mut Vec<u8>) {
        out.push(kind);
        put_i64(time.steady.0.wrapping_sub(self.steady), out);
        let apart = time.wall.0.wrapping_sub(time.steady.0);
        put_i64(apart.wrapping_sub(self.apart), out);
        (self.steady, self.apart) = (time.steady.0, apart);
    }

    pub(super) fn put_base(&mut self, time: Time, base: &Base, out: &mut Vec<u8>) {
        self.put_head(BASE, time, out);
        put_json(base, out);
    }

    pub(super) fn put_snapshot(&mut self, time: Time, snapshot: &Snapshot, out: &mut Vec<u8>) {
        self.put_head(SNAPSHOT, time, out);
        let index = self.names.iter().position(|name| *name == snapshot.source);
        let index = index.unwrap_or_else(|| {
            self.names.push(snapshot.source.clone());
            self.names.len() - 1
        });
        put_u64(index as u64, out);
        let is_new = !self.sources.contains_key(&index);
        if is_new {
            put_bytes(snapshot.source.as_bytes(), out);
        }
        let memory = self.sources.entry(index).or_default();
        // The cost of the look (requests, bytes) moves at each look and is judged by nothing; of its
        // time, only whole seconds are.
        let Snapshot { source: _, poller, completeness, clock, version, .. } = snapshot;
        let Snapshot { metrics_frozen, clusters, runs, inventory, recorded, .. } = snapshot;
        let took = snapshot.took_s();
        let bit = |differs: bool, bit: u64| if differs { bit } else { 0 };
        let changed = bit(!poller.same(&memory.poller), POLLER)
            | bit(!completeness.same(&memory.completeness), COMPLETENESS)
            | bit(!version.same(&memory.version), VERSION)
            | bit(!metrics_frozen.same(&memory.metrics_frozen), FROZEN)
            | bit(!clusters.same(&memory.clusters), CLUSTERS)
            | bit(!runs.same(&memory.runs), RUNS)
            | bit(clock.is_some(), CLOCK)
            | bit(took > 0, SLOW)
            | bit(!inventory.same(&memory.inventory), INVENTORY)
            | bit(!recorded.same(&memory.recorded), RECORDED);
        put_u64(changed, out);
        if changed & POLLER != 0 {
            poller.put(&mut memory.poller, out);
        }
        if changed & COMPLETENESS != 0 {
            completeness.put(&mut memory.completeness, out);
        }
        if changed & VERSION != 0 {
            version.put(&mut memory.version, out);
        }
        if changed & FROZEN != 0 {
            metrics_frozen.put(&mut memory.metrics_frozen, out);
        }
        if changed & CLUSTERS != 0 {
            clusters.put(&mut memory.clusters, out);
        }
        if changed & RUNS != 0 {
            runs.put(&mut memory.runs, out);
        }
        if let Some(clock) = clock {
            // The source's now goes with ours, but for some milliseconds.
            clock.offset_ms.put(&mut memory.offset, out);
            let expected = time.wall.0.wrapping_add(clock.offset_ms);
            put_i64(clock.now.wrapping_sub(expected), out);
        }
        if changed & SLOW != 0 {
            put_u64(took.into(), out);
        }
        if changed & INVENTORY != 0 {
            inventory.put(&mut memory.inventory, out);
        }
        if changed & RECORDED != 0 {
            recorded.put(&mut memory.recorded, out);
        }
    }

    pub(super) fn put_deadline(&mut self, time: Time, out: &mut Vec<u8>) {
        self.put_head(DEADLINE, time, out);
    }

    pub(super) fn put_delivery(
        &mut self,
        time: Time,
        message: u64,
        outcome: &SendOutcome,
        out: &mut Vec<u8>,
    ) {
        let kind = match outcome {
            SendOutcome::Delivered => DELIVERED,
            SendOutcome::Accepted { .. } => ACCEPTED,
            SendOutcome::Gone { .. } => GONE,
            SendOutcome::Retry { .. } => RETRY,
            SendOutcome::Rejected { .. } => REJECTED,
        };
        self.put_head(kind, time, out);
        put_u64(message, out);
        match outcome {
            SendOutcome::Delivered => {}
            SendOutcome::Retry { after_ms, error } => {
                put_json(after_ms, out);
                put_bytes(error.as_bytes(), out);
            }
            SendOutcome::Accepted { receipt: text }
            | SendOutcome::Gone { error: text }
            | SendOutcome::Rejected { error: text } => put_bytes(text.as_bytes(), out),
        }
    }

    pub(super) fn put_reload(&mut self, time: Time, demand: &Demand, out: &mut Vec<u8>) {
        self.put_head(RELOAD, time, out);
        put_json(&DemandNote::from(demand), out);
    }

    pub(super) fn put_sent(&mut self, time: Time, note: &SentNote, out: &mut Vec<u8>) {
        self.put_head(SENT, time, out);
        put_json(note, out);
    }

    pub(super) fn put_command(&mut self, time: Time, command: &Command, out: &mut Vec<u8>) {
        self.put_head(COMMAND, time, out);
        put_json(command, out);
    }

    pub(super) fn put_acted(&mut self, time: Time, restart: u64, told: &Told, out: &mut Vec<u8>) {
        self.put_head(ACTED, time, out);
        put_u64(restart, out);
        put_json(told, out);
    }

    /// The next event.
    pub(super) fn take(&mut self, from: &mut Bytes<'_>) -> Result<(Time, Event), Damaged> {
        let kind = from.byte()?;
        self.steady = self.steady.wrapping_add(from.i64()?);
        self.apart = self.apart.wrapping_add(from.i64()?);
        let wall = self.steady.wrapping_add(self.apart);
        let time = Time { steady: Ts(self.steady), wall: Ts(wall) };
        let event = match kind {
            BASE => Event::Base(Box::new(take_json(from)?)),
            SNAPSHOT => Event::Snapshot(Box::new(self.take_snapshot(time, from)?)),
            DEADLINE => Event::Deadline,
            DELIVERED => Event::Delivery { message: from.u64()?, outcome: SendOutcome::Delivered },
            RETRY => {
                let (message, after_ms) = (from.u64()?, take_json(from)?);
                let error = from.text()?.to_owned();
                Event::Delivery { message, outcome: SendOutcome::Retry { after_ms, error } }
            }
            REJECTED => {
                let (message, error) = (from.u64()?, from.text()?.to_owned());
                Event::Delivery { message, outcome: SendOutcome::Rejected { error } }
            }
            ACCEPTED => {
                let (message, receipt) = (from.u64()?, from.text()?.to_owned());
                Event::Delivery { message, outcome: SendOutcome::Accepted { receipt } }
            }
            GONE => {
                let (message, error) = (from.u64()?, from.text()?.to_owned());
                Event::Delivery { message, outcome: SendOutcome::Gone { error } }
            }
            RELOAD => Event::Reload(Box::new(take_json::<DemandNote>(from)?.into())),
            SENT => Event::Sent(Box::new(take_json(from)?)),
            COMMAND => Event::Command(Box::new(take_json(from)?)),
            ACTED => Event::Acted { restart: from.u64()?, told: Box::new(take_json(from)?) },
            _ => return Err(Damaged("it has an event this weir does not know")),
        };
        Ok((time, event))
    }

    fn take_snapshot(&mut self, time: Time, from: &mut Bytes<'_>) -> Result<Snapshot, Damaged> {
        let index = from.size()?;
        if index == self.names.len() {
            self.names.push(from.text()?.to_owned());
        }
        let source = self.names.get(index).ok_or(Damaged("a look at an unknown source"))?.clone();
        let memory = self.sources.entry(index).or_default();
        let changed = from.u64()?;
        if changed >= LIMIT {
            return Err(Damaged("it has facts this weir does not know"));
        }
        if changed & POLLER != 0 {
            String::take(&mut memory.poller, from)?;
        }
        if changed & COMPLETENESS != 0 {
            Completeness::take(&mut memory.completeness, from)?;
        }
        if changed & VERSION != 0 {
            <Option<String> as Delta>::take(&mut memory.version, from)?;
        }
        if changed & FROZEN != 0 {
            bool::take(&mut memory.metrics_frozen, from)?;
        }
        if changed & CLUSTERS != 0 {
            Vec::<ClusterObservation>::take(&mut memory.clusters, from)?;
        }
        if changed & RUNS != 0 {
            Vec::<RunObservation>::take(&mut memory.runs, from)?;
        }
        let mut clock = None;
        if changed & CLOCK != 0 {
            i64::take(&mut memory.offset, from)?;
            let expected = time.wall.0.wrapping_add(memory.offset);
            let now = expected.wrapping_add(from.i64()?);
            clock = Some(SourceClock { now, offset_ms: memory.offset });
        }
        let took_s = if changed & SLOW != 0 { from.u64()? } else { 0 };
        if changed & INVENTORY != 0 {
            Vec::<InventoryEntry>::take(&mut memory.inventory, from)?;
        }
        if changed & RECORDED != 0 {
            Vec::<InventoryCheckpoint>::take(&mut memory.recorded, from)?;
        }
        Ok(Snapshot {
            source,
            poller: memory.poller.clone(),
            completeness: Completeness::get(&memory.completeness),
            clock,
            version: Option::<String>::get(&memory.version),
            metrics_frozen: memory.metrics_frozen,
            clusters: Vec::<ClusterObservation>::get(&memory.clusters),
            runs: Vec::<RunObservation>::get(&memory.runs),
            inventory: Vec::<InventoryEntry>::get(&memory.inventory),
            recorded: Vec::<InventoryCheckpoint>::get(&memory.recorded),
            took_ms: u32::try_from(took_s.saturating_mul(1_000)).unwrap_or(u32::MAX),
            requests: 0,
            bytes: 0,
        })
    }
}

fn put_json<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) {
    // Nothing here has keys that are no texts; should it ever fail, reading says so.
    put_bytes(&serde_json::to_vec(value).unwrap_or_default(), out);
}

fn take_json<T: serde::de::DeserializeOwned>(from: &mut Bytes<'_>) -> Result<T, Damaged> {
    serde_json::from_slice(from.bytes()?).map_err(|_| Damaged("a state or message cannot be read"))
}
