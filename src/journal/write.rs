//! The writing end: collects events, and says when and what to write.

use std::time::Duration;

use super::coder::Coder;
use super::event::{Base, SentNote};
use super::pack::Packer;
use crate::model::{Command, Demand, HistoryChunk, Message, SendOutcome, Snapshot, Time, Told, Ts};

/// Events wait no longer than this for a step that writes something anyway.
const WAIT: Duration = Duration::from_secs(30);
/// Nor are there ever more bytes of them.
const ENOUGH: usize = 256 << 10;
/// A segment has at least so many times the bytes of its first piece, which holds the base: however
/// small the largest size, most of what is written is news.
const BASES: u64 = 4;
/// A segment is not longer than this: retention drops whole ones.
const LONGEST: Duration = Duration::from_hours(24);

/// Writes one segment.
pub struct Writer {
    coder: Coder,
    packer: Packer,
    raw: Vec<u8>,
    segment: u64,
    number: u32,
    from_start: bool,
    opened: Ts,
    /// Packed so far.
    bytes: u64,
    /// Of them, in the first piece.
    first_piece: u64,
    largest: u64,
    /// Wall time of the first and steady time of the oldest event that waits.
    waiting: Option<Time>,
    last: Ts,
}

impl Writer {
    /// Begins a segment. `largest`: when it has so many bytes it is time for the next.
    pub fn new(segment: u64, largest: u64, time: Time, base: &Base) -> Writer {
        let mut writer = Writer {
            coder: Coder::default(),
            packer: Packer::new(),
            raw: Vec::new(),
            segment,
            number: 0,
            from_start: base.from_start,
            opened: time.steady,
            bytes: 0,
            first_piece: 0,
            largest,
            waiting: None,
            last: time.wall,
        };
        writer.note(time);
        writer.coder.put_base(time, base, &mut writer.raw);
        writer
    }

    fn note(&mut self, time: Time) {
        self.waiting.get_or_insert(time);
        self.last = time.wall;
    }

    /// A look.
    pub fn snapshot(&mut self, time: Time, snapshot: &Snapshot) {
        self.note(time);
        self.coder.put_snapshot(time, snapshot, &mut self.raw);
    }

    /// A deadline.
    pub fn deadline(&mut self, time: Time) {
        self.note(time);
        self.coder.put_deadline(time, &mut self.raw);
    }

    /// A channel's word.
    pub fn delivery(&mut self, time: Time, message: u64, outcome: &SendOutcome) {
        self.note(time);
        self.coder.put_delivery(time, message, outcome, &mut self.raw);
    }

    /// Other rules or receivers.
    pub fn reload(&mut self, time: Time, demand: &Demand) {
        self.note(time);
        self.coder.put_reload(time, demand, &mut self.raw);
    }

    /// Somebody wants something done.
    pub fn command(&mut self, time: Time, command: &Command) {
        self.note(time);
        self.coder.put_command(time, command, &mut self.raw);
    }

    /// A driver told something.
    pub fn acted(&mut self, time: Time, restart: u64, told: &Told) {
        self.note(time);
        self.coder.put_acted(time, restart, told, &mut self.raw);
    }

    /// A message that goes out for the first time.
    pub fn sent(&mut self, time: Time, message: &Message) {
        self.note(time);
        self.coder.put_sent(time, &SentNote::from(message), &mut self.raw);
    }

    /// What waits has waited long enough, or is enough.
    pub fn is_due(&self, now: Ts) -> bool {
        let long = self.waiting.is_some_and(|since| now.since(since.steady) >= WAIT);
        long || self.raw.len() >= ENOUGH
    }

    /// Takes what waits, to be written.
    pub fn cut(&mut self) -> Option<HistoryChunk> {
        let first = self.waiting.take()?.wall;
        let body = self.packer.pack(&self.raw);
        self.raw.clear();
        self.bytes += body.len() as u64;
        if self.number == 0 {
            self.first_piece = self.bytes;
        }
        let number = self.number;
        self.number = self.number.saturating_add(1);
        let (segment, from_start, last) = (self.segment, self.from_start, self.last);
        Some(HistoryChunk { segment, number, from_start, first, last, body })
    }

    /// The segment is long enough: the next one should begin.
    pub fn is_full(&self, now: Ts) -> bool {
        let enough = self.largest.max(self.first_piece.saturating_mul(BASES));
        now.since(self.opened) >= LONGEST || self.bytes >= enough
    }

    /// The segment after this one; the engine goes on.
    pub fn next(&self, time: Time, base: &Base) -> Writer {
        Writer::new(self.segment + 1, self.largest, time, base)
    }
}
