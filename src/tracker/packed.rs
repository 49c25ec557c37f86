//! The buckets of a series, packed: those that are closed are coded, each on top of the one before,
//! and nothing is lost by it. Where a number is read as often as buckets change, or stands still, a
//! bucket is six bytes; the most it takes is about thirty.

use serde::{Deserialize, Serialize};

/// Samples that fell into one stretch of time. Times count in tenths of a second from the first
/// sample of the series, numbers are single precision: sources round them coarser than that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub(super) struct Bucket {
    pub(super) from: u32,
    pub(super) until: u32,
    pub(super) first: f32,
    pub(super) min: f32,
    pub(super) max: f32,
    pub(super) last: f32,
    pub(super) sum: f32,
    /// What was added since the sample before, as a counter counts: one that went back began anew.
    pub(super) gain: f32,
    pub(super) count: u16,
}

/// A bucket as it is written down.
type Row = (u32, u32, f32, f32, f32, f32, f32, f32, u16);

impl From<Row> for Bucket {
    fn from(row: Row) -> Bucket {
        let (from, until, first, min, max, last, sum, gain, count) = row;
        Bucket { from, until, first, min, max, last, sum, gain, count }
    }
}

impl From<Bucket> for Row {
    fn from(b: Bucket) -> Row {
        (b.from, b.until, b.first, b.min, b.max, b.last, b.sum, b.gain, b.count)
    }
}

impl Bucket {
    /// A bucket of one sample; `before`: the sample before it.
    pub(super) fn of(at: u32, value: f32, before: Option<f32>) -> Bucket {
        Bucket {
            from: at,
            until: at,
            first: value,
            min: value,
            max: value,
            last: value,
            sum: value,
            gain: before.map_or(0.0, |before| step(before, value)),
            count: 1,
        }
    }

    /// Takes in one more sample.
    pub(super) fn add(&mut self, at: u32, value: f32) {
        self.until = at.max(self.until);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += value;
        self.gain += step(self.last, value);
        self.last = value;
        self.count += 1;
    }
}

/// What a counter counted from one sample to the next.
pub(super) fn step(before: f32, value: f32) -> f32 {
    if value >= before { value - before } else { value }
}

/// What a bucket is coded on top of: the end of the one before.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    until: u32,
    last: f32,
}

/// Buckets in order of time; only the newest one changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets {
    /// The closed ones, coded.
    closed: Vec<u8>,
    /// How many these are.
    count: usize,
    /// What the oldest of them is coded on top of.
    head: Before,
    /// The newest of them.
    tail: Before,
    open: Option<Bucket>,
}

impl PartialEq for Buckets {
    fn eq(&self, other: &Buckets) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Buckets {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count + usize::from(self.open.is_some())
    }

    /// Bytes held beyond the struct itself.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.closed.capacity()
    }

    /// The newest one.
    pub(super) fn newest(&self) -> Option<&Bucket> {
        self.open.as_ref()
    }

    /// The newest one, to add to it.
    pub(super) fn newest_mut(&mut self) -> Option<&mut Bucket> {
        self.open.as_mut()
    }

    /// Closes the newest one and begins another.
    pub(super) fn push(&mut self, bucket: Bucket) {
        if let Some(done) = self.open.replace(bucket) {
            let mut code = Code::default();
            code.bucket(self.tail, &done);
            let code = code.bytes();
            let room = self.closed.capacity() - self.closed.len();
            if room < code.len() {
                // A little more than is needed: there are thousands of these.
                let more = (self.closed.len() / 8).max(code.len());
                self.closed.reserve_exact(more);
            }
            self.closed.extend_from_slice(code);
            self.count += 1;
            self.tail = Before { until: done.until, last: done.last };
        }
    }

    /// Lets go of the oldest ones; the newest one always stays.
    pub(super) fn forget(&mut self, oldest: usize) {
        if oldest == 0 {
            return;
        }
        let mut walk = self.walk();
        let gone = walk.by_ref().take(oldest.min(self.count)).count();
        let (head, left) = (walk.before, walk.rest.len());
        self.closed.drain(..self.closed.len() - left);
        self.head = head;
        self.count -= gone;
    }

    /// Lets go of all.
    pub(super) fn clear(&mut self) {
        *self = Buckets::default();
    }

    /// All of them, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.walk().chain(self.open)
    }

    fn walk(&self) -> Walk<'_> {
        Walk { rest: &self.closed, before: self.head }
    }
}

impl FromIterator<Bucket> for Buckets {
    fn from_iter<T: IntoIterator<Item = Bucket>>(all: T) -> Buckets {
        let mut buckets = Buckets::default();
        all.into_iter().for_each(|bucket| buckets.push(bucket));
        buckets
    }
}

/// One value: the four that are kept of the samples are the same.
const SAME: u8 = 1;
/// One sample: it has no length.
const ONE: u8 = 2;
/// The smallest value is neither the first nor the last one.
const MIN: u8 = 4;
/// Of these two, it is the last one.
const MIN_IS_LAST: u8 = 8;
/// As with the smallest one.
const MAX: u8 = 16;
const MAX_IS_LAST: u8 = 32;
/// The sum does not follow from the rest.
const SUM: u8 = 64;
/// Nor what was gained.
const GAIN: u8 = 128;

/// The sum as it follows from the rest for few or like samples.
fn likely_sum(b: &Bucket) -> f32 {
    match b.count {
        1 => b.first,
        2 => b.first + b.last,
        n => b.first * f32::from(n),
    }
}

/// What was gained, as it follows from the rest for two samples or a number that stands still.
fn likely_gain(before: f32, b: &Bucket) -> f32 {
    let outside = step(before, b.first);
    match b.count {
        1 => outside,
        _ => outside + step(b.first, b.last),
    }
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits()
}

/// The longest code: marks, three numbers of up to five bytes, six values.
const LONGEST: usize = 1 + 3 * 5 + 6 * 4;

/// One bucket being coded.
struct Code {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Default for Code {
    fn default() -> Code {
        Code { bytes: [0; LONGEST], len: 0 }
    }
}

impl Code {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn number(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.byte((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn value(&mut self, value: f32) {
        value.to_le_bytes().into_iter().for_each(|byte| self.byte(byte));
    }

    fn bucket(&mut self, before: Before, b: &Bucket) {
        let mark = |mark: u8, holds: bool| if holds { mark } else { 0 };
        let still = same(b.first, b.last) && same(b.first, b.min) && same(b.first, b.max);
        let extreme = |value: f32, stored: u8, is_last: u8| match value {
            _ if still || same(value, b.first) => 0,
            v if same(v, b.last) => is_last,
            _ => stored,
        };
        let marks = mark(SAME, still)
            | mark(ONE, b.count == 1 && b.from == b.until)
            | extreme(b.min, MIN, MIN_IS_LAST)
            | extreme(b.max, MAX, MAX_IS_LAST)
            | mark(SUM, !same(b.sum, likely_sum(b)))
            | mark(GAIN, !same(b.gain, likely_gain(before.last, b)));
        self.byte(marks);
        self.number(b.from.wrapping_sub(before.until));
        if marks & ONE == 0 {
            self.number(b.until.wrapping_sub(b.from));
            self.number(u32::from(b.count));
        }
        self.value(b.first);
        let rest =
            [(marks & SAME == 0, b.last), (marks & MIN != 0, b.min), (marks & MAX != 0, b.max)];
        let more = [(marks & SUM != 0, b.sum), (marks & GAIN != 0, b.gain)];
        for (_, value) in rest.into_iter().chain(more).filter(|(is_coded, _)| *is_coded) {
            self.value(value);
        }
    }
}

/// A walk over the closed buckets.
struct Walk<'a> {
    rest: &'a [u8],
    before: Before,
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0;
        for shift in (0..32).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn value(&mut self) -> Option<f32> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f32::from_le_bytes(*bytes))
    }
}

impl Iterator for Walk<'_> {
    type Item = Bucket;

    fn next(&mut self) -> Option<Bucket> {
        let marks = self.byte()?;
        let from = self.number()?.wrapping_add(self.before.until);
        let (until, count) = if marks & ONE == 0 {
            (self.number()?.wrapping_add(from), self.number()? as u16)
        } else {
            (from, 1)
        };
        let first = self.value()?;
        let last = if marks & SAME == 0 { self.value()? } else { first };
        let mut extreme = |stored: u8, is_last: u8| {
            if marks & stored != 0 {
                self.value()
            } else {
                Some(if marks & is_last != 0 { last } else { first })
            }
        };
        let min = extreme(MIN, MIN_IS_LAST)?;
        let max = extreme(MAX, MAX_IS_LAST)?;
        let mut b = Bucket { from, until, first, min, max, last, sum: 0.0, gain: 0.0, count };
        b.sum = if marks & SUM != 0 { self.value()? } else { likely_sum(&b) };
        b.gain = if marks & GAIN != 0 { self.value()? } else { likely_gain(self.before.last, &b) };
        self.before = Before { until, last };
        Some(b)
    }
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
