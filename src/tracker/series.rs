//! A bounded series of one number: at most 64 buckets whatever its span.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::packed::{Bucket, Buckets, step};
use crate::model::Ts;

/// Buckets kept.
const BUCKETS: usize = 64;
/// Samples of what is read slowly are up to so far apart, in tenths of a second.
const SLACK: u32 = 900;

/// Samples of one number over the last `span_ms`, in buckets of `span_ms` / 64. Whatever is asked
/// about a stretch of time is as exact as one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Series {
    span_ms: i64,
    /// Time of the first sample, which all others count from.
    base: Option<Ts>,
    buckets: Buckets,
}

/// A series as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    span_ms: i64,
    base: Option<Ts>,
    buckets: Vec<Bucket>,
}

impl From<Written> for Series {
    fn from(Written { span_ms, base, buckets }: Written) -> Series {
        // No more than are kept, whatever was written.
        let over = buckets.len().saturating_sub(BUCKETS + 1);
        Series { span_ms, base, buckets: buckets.into_iter().skip(over).collect() }
    }
}

impl From<Series> for Written {
    fn from(Series { span_ms, base, buckets }: Series) -> Written {
        Written { span_ms, base, buckets: buckets.iter().collect() }
    }
}

/// A stretch of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Oldest value.
    pub first: f64,
    /// Newest value.
    pub last: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
    /// All samples added up.
    pub sum: f64,
    /// Samples.
    pub count: u64,
    /// What a counter counted up; where it went back it began anew from zero.
    pub gain: f64,
    /// Time from the oldest to the newest sample.
    pub length: Duration,
}

impl Stretch {
    /// The mean of the samples.
    pub fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    /// The newest value less the oldest one.
    pub fn delta(&self) -> f64 {
        self.last - self.first
    }

    /// What a counter counted per second; `None` from a single sample.
    pub fn rate(&self) -> Option<f64> {
        (!self.length.is_zero()).then(|| self.gain / self.length.as_secs_f64())
    }
}

impl Series {
    /// Keeps `span_ms`.
    pub fn over(span_ms: i64) -> Series {
        Series {
            span_ms: span_ms.max(BUCKETS as i64 * 100),
            base: None,
            buckets: Buckets::default(),
        }
    }

    /// What it keeps.
    pub fn span_ms(&self) -> i64 {
        self.span_ms
    }

    /// Takes in a sample; samples are given in order of time. True if a bucket was closed by it.
    pub fn push(&mut self, at: Ts, value: f64) -> bool {
        let value = value as f32;
        if !value.is_finite() {
            return false;
        }
        self.base.get_or_insert(at);
        let at = self.tenths(at);
        let width = (self.span_ms / BUCKETS as i64 / 100) as u32;
        let before = match self.buckets.newest_mut() {
            Some(b) if at.saturating_sub(b.from) < width && b.count < u16::MAX => {
                b.add(at, value);
                return false;
            }
            newest => newest.map(|b| b.last),
        };
        self.make_room(at);
        self.buckets.push(Bucket::of(at, value, before));
        true
    }

    fn make_room(&mut self, now: u32) {
        let keep_from = now.saturating_sub((self.span_ms / 100) as u32);
        // The bucket that holds the beginning of the span stays.
        let old = self.buckets.iter().take_while(|b| b.until < keep_from).count();
        let over = self.buckets.len().saturating_sub(BUCKETS);
        self.buckets.forget(old.saturating_sub(1).max(over));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets.clear();
        self.base = None;
    }

    /// The newest value.
    pub fn last(&self) -> Option<f64> {
        self.buckets.newest().map(|b| f64::from(b.last))
    }

    /// How far apart two samples may be and still tell of the time between them.
    fn slack(&self) -> u32 {
        let bucket = (self.span_ms / BUCKETS as i64 / 100) as u32;
        bucket.saturating_add(SLACK)
    }

    /// A value known at `at` or shortly before; never a later one, which would compare the present
    /// with itself, nor one from before a time of which nothing is known.
    pub fn at(&self, at: Ts) -> Option<f64> {
        let at = self.known_tenths(at)?;
        let bucket = self.buckets.iter().take_while(|b| b.from <= at).last()?;
        if at.saturating_sub(bucket.until) > self.slack() {
            return None;
        }
        Some(f64::from(if bucket.until <= at { bucket.last } else { bucket.first }))
    }

    /// What is known of the time from `from` to `to`; `None` where nothing is.
    pub fn between(&self, from: Ts, to: Ts) -> Option<Stretch> {
        let (from, to) = (self.known_tenths(from).unwrap_or(0), self.known_tenths(to)?);
        let (mut before, mut oldest): (Option<Bucket>, Option<Bucket>) = (None, None);
        let mut until = 0;
        let mut stretch = EMPTY;
        for b in self.buckets.iter().take_while(|b| b.from <= to) {
            if b.until < from {
                before = Some(b);
                continue;
            }
            oldest.get_or_insert(b);
            until = b.until;
            stretch.last = f64::from(b.last);
            stretch.min = stretch.min.min(f64::from(b.min));
            stretch.max = stretch.max.max(f64::from(b.max));
            stretch.sum += f64::from(b.sum);
            stretch.gain += f64::from(b.gain);
            stretch.count += u64::from(b.count);
        }
        let oldest = oldest?;
        stretch.first = f64::from(oldest.first);
        // What the first bucket gained on the sample before it was counted outside.
        if let Some(before) = before {
            stretch.gain -= f64::from(step(before.last, oldest.first));
        }
        stretch.gain = stretch.gain.max(0.0);
        stretch.length = Duration::from_millis(u64::from(until - oldest.from) * 100);
        Some(stretch)
    }

    /// Smallest value since `from`.
    pub fn min_since(&self, from: Ts) -> Option<f64> {
        let from = self.known_tenths(from).unwrap_or(0);
        let since = self.buckets.iter().filter(|b| b.from >= from);
        since.map(|b| f64::from(b.min)).reduce(f64::min)
    }

    /// Samples reach back to `from`: one is older, and it or the one after it is close to it.
    pub fn covers(&self, from: Ts) -> bool {
        let Some(from) = self.known_tenths(from) else { return false };
        let slack = self.slack();
        let mut before = None;
        for b in self.buckets.iter() {
            if b.from > from {
                let after = before.is_some() && b.from - from <= slack;
                return after || is_close(before, from, slack);
            }
            before = Some(b.until);
        }
        is_close(before, from, slack)
    }

    /// Time of the oldest sample kept.
    pub fn first_at(&self) -> Option<Ts> {
        let first = self.buckets.iter().next()?;
        Some(self.base?.shifted(i64::from(first.from) * 100))
    }

    /// Every bucket in order. Of one that began before `from` only its newest sample counts: which
    /// of the others are older is not known.
    pub fn buckets_since(&self, from: Ts) -> impl Iterator<Item = Sample> {
        let base = self.base.unwrap_or_default();
        let from = self.known_tenths(from).unwrap_or(0);
        let since = self.buckets.iter().filter(move |b| b.until >= from);
        since.map(move |b| {
            let (min, max) = if b.from >= from { (b.min, b.max) } else { (b.last, b.last) };
            Sample {
                at: base.shifted(i64::from(b.until) * 100),
                min: f64::from(min),
                max: f64::from(max),
                last: f64::from(b.last),
            }
        })
    }

    /// Bytes it takes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        std::mem::size_of::<Series>() + self.buckets.capacity()
    }

    fn tenths(&self, at: Ts) -> u32 {
        let base = self.base.unwrap_or(at);
        u32::try_from((at.0.saturating_sub(base.0).max(0)) / 100).unwrap_or(u32::MAX)
    }

    /// As [`Series::tenths`]; `None` for times before the first sample ever.
    fn known_tenths(&self, at: Ts) -> Option<u32> {
        let base = self.base?;
        (at >= base).then(|| self.tenths(at))
    }
}

/// One bucket as who walks the series sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Time of its newest sample.
    pub at: Ts,
    /// Its smallest value.
    pub min: f64,
    /// Its largest value.
    pub max: f64,
    /// Its newest value.
    pub last: f64,
}

/// The newest sample before a time is no further from it than this.
fn is_close(before: Option<u32>, to: u32, slack: u32) -> bool {
    before.is_some_and(|until| to.saturating_sub(until) <= slack)
}

const EMPTY: Stretch = Stretch {
    first: 0.0,
    last: 0.0,
    min: f64::INFINITY,
    max: f64::NEG_INFINITY,
    sum: 0.0,
    count: 0,
    gain: 0.0,
    length: Duration::ZERO,
};

#[cfg(test)]
#[path = "series_naive_tests.rs"]
mod naive_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_bounded_and_remembers_its_span() {
        let mut series = Series::over(640_000);
        for i in 0..100_000_i64 {
            series.push(Ts(i * 1000), i as f64);
            assert!(series.buckets.len() <= BUCKETS + 1);
            assert!(series.buckets.capacity() <= 1_500, "{}", series.buckets.capacity());
        }
        assert_eq!(series.last(), Some(99_999.0));
        assert!(series.covers(Ts(99_999_000 - 640_000)));
        assert!(!series.covers(Ts(0)), "what was dropped is not covered");
        let at = series.at(Ts(99_500_000)).unwrap();
        assert!((99_480.0..=99_510.0).contains(&at), "{at}");
        assert!(series.min_since(Ts(99_900_000)).unwrap() >= 99_900.0);
        // In the middle of the newest bucket: what was known then, not what came later.
        series.push(Ts(99_999_500), 7.0);
        assert!(series.at(Ts(99_999_200)).unwrap() > 99_000.0);
        series.push(Ts(99_999_900), 99_999.0);
        series.push(Ts(1_000_000_000), f64::NAN);
        assert_eq!(series.last(), Some(99_999.0));
    }

    #[test]
    fn a_stretch_says_what_happened_in_it() {
        // One sample every ten seconds, a bucket each.
        let series = filled(640_000, 10_000, &[5.0, 7.0, 3.0, 4.0, 9.0]);
        let all = series.between(Ts(0), Ts(40_000)).unwrap();
        assert_eq!((all.first, all.last, all.min, all.max, all.sum), (5.0, 9.0, 3.0, 9.0, 28.0));
        assert_eq!((all.count, all.mean(), all.delta()), (5, 5.6, 4.0));
        let part = series.between(Ts(10_000), Ts(30_000)).unwrap();
        assert_eq!((part.first, part.last, part.min, part.max), (7.0, 4.0, 3.0, 7.0));
        assert_eq!(series.between(Ts(-50_000), Ts(-10_000)), None, "before all samples");
        assert_eq!(series.between(Ts(50_000), Ts(90_000)), None, "after all samples");
        assert_eq!(Series::over(1000).between(Ts(0), Ts(9)), None);
    }

    #[test]
    fn a_counter_that_went_back_began_anew() {
        let series = filled(640_000, 10_000, &[100.0, 150.0, 10.0, 40.0]);
        let all = series.between(Ts(0), Ts(30_000)).unwrap();
        assert_eq!((all.gain, all.count), (90.0, 4), "50 before the restart, 10 and 30 after it");
        assert_eq!(all.rate(), Some(3.0));
        let part = series.between(Ts(20_000), Ts(30_000)).unwrap();
        assert_eq!(
            (part.gain, part.count),
            (30.0, 2),
            "what was counted before the stretch is not in it"
        );
        assert_eq!(filled(640_000, 1, &[1.0]).between(Ts(0), Ts(9)).unwrap().rate(), None);
    }

    #[test]
    fn a_time_of_which_nothing_is_known_is_not_watched() {
        // Ten seconds a bucket; nothing is heard for an hour.
        let mut series = filled(640_000, 10_000, &[5.0, 7.0]);
        let back = 3_610_000;
        series.push(Ts(back), 900.0);
        assert_eq!(series.at(Ts(back - 60_000)), None, "the value of an hour ago is none of then");
        assert!(!series.covers(Ts(back - 300_000)));
        assert!(
            series.covers(Ts(back - 60_000)),
            "samples of what is read slowly are so far apart"
        );
        assert_eq!(series.at(Ts(10_000)), Some(7.0));
    }

    #[test]
    fn wide_buckets_count_the_same() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let series = filled(6_400_000, 10_000, &values);
        let to = Ts(9_990_000);
        let stretch = series.between(to - Duration::from_hours(1), to).unwrap();
        let rate = stretch.rate().unwrap();
        assert!((rate - 0.1).abs() < 0.005, "{rate}");
        assert!((stretch.mean() - 819.0).abs() < 10.0, "{}", stretch.mean());
        let written = serde_json::to_string(&series).unwrap();
        assert!(written.len() < 5_000, "{}", written.len());
        let read: Series = serde_json::from_str(&written).unwrap();
        assert_eq!(read, series);
    }

    fn filled(span_ms: i64, step_ms: i64, values: &[f64]) -> Series {
        let mut series = Series::over(span_ms);
        for (i, value) in values.iter().enumerate() {
            series.push(Ts(i as i64 * step_ms), *value);
        }
        series
    }
}
