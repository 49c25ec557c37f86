//! A bounded series of one number: at most 64 buckets whatever its span.

use serde::{Deserialize, Serialize};

use crate::model::Ts;

/// Buckets kept.
const BUCKETS: usize = 64;

/// One bucket.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bucket {
    from: Ts,
    until: Ts,
    first: f64,
    min: f64,
    max: f64,
    last: f64,
}

/// Samples of one number over the last `span_ms`, in buckets of `span_ms` / 64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    span_ms: i64,
    buckets: Vec<Bucket>,
    first: Option<Ts>,
}

impl Series {
    /// Keeps `span_ms`.
    pub fn over(span_ms: i64) -> Series {
        Series { span_ms: span_ms.max(BUCKETS as i64), buckets: Vec::new(), first: None }
    }

    /// Takes in a sample; samples are given in order of time.
    pub fn push(&mut self, at: Ts, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.first.get_or_insert(at);
        let width = self.span_ms / BUCKETS as i64;
        match self.buckets.last_mut() {
            Some(b) if at.0 - b.from.0 < width => {
                b.min = b.min.min(value);
                b.max = b.max.max(value);
                b.last = value;
                b.until = at;
            }
            _ => self.buckets.push(Bucket {
                from: at,
                until: at,
                first: value,
                min: value,
                max: value,
                last: value,
            }),
        }
        let keep_from = at.shifted(-self.span_ms);
        let drop = self.buckets.iter().take_while(|b| b.from < keep_from).count();
        let over = self.buckets.len().saturating_sub(BUCKETS + 1);
        self.buckets.drain(..drop.max(over));
    }

    /// Forgets everything: the counter behind it began anew.
    pub fn clear(&mut self) {
        self.buckets.clear();
        self.first = None;
    }

    /// The newest value.
    pub fn last(&self) -> Option<f64> {
        self.buckets.last().map(|b| b.last)
    }

    /// A value known at `at` or before, at most one bucket older; never a later one, which would
    /// compare the present with itself.
    pub fn at(&self, at: Ts) -> Option<f64> {
        let bucket = self.buckets.iter().rev().find(|b| b.from <= at)?;
        Some(if bucket.until <= at { bucket.last } else { bucket.first })
    }

    /// Smallest value since `from`.
    pub fn min_since(&self, from: Ts) -> Option<f64> {
        self.buckets.iter().filter(|b| b.from >= from).map(|b| b.min).reduce(f64::min)
    }

    /// Samples reach back to `from`.
    pub fn covers(&self, from: Ts) -> bool {
        self.first.is_some_and(|first| first <= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_bounded_and_remembers_its_span() {
        let mut series = Series::over(640_000);
        for i in 0..100_000_i64 {
            series.push(Ts(i * 1000), i as f64);
            assert!(series.buckets.len() <= BUCKETS + 1);
        }
        assert_eq!(series.last(), Some(99_999.0));
        assert!(series.covers(Ts(0)));
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
}
