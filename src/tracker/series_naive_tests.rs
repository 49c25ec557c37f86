//! A series says what one of plain buckets says, whatever is pushed and asked.

use proptest::prelude::*;

use super::super::packed::step;
use super::*;

/// The same series, its buckets one beside the other.
struct Naive {
    span_ms: i64,
    base: Option<Ts>,
    buckets: Vec<Bucket>,
}

impl Naive {
    fn tenths(&self, at: Ts) -> u32 {
        ((at.0 - self.base.unwrap_or(at).0).max(0) / 100) as u32
    }

    fn width(&self) -> u32 {
        (self.span_ms / BUCKETS as i64 / 100) as u32
    }

    fn push(&mut self, at: Ts, value: f64) -> bool {
        let value = value as f32;
        self.base.get_or_insert(at);
        let (at, width) = (self.tenths(at), self.width());
        let before = self.buckets.last().map(|b| b.last);
        if let Some(b) = self.buckets.last_mut()
            && at - b.from < width
        {
            b.gain += step(b.last, value);
            (b.min, b.max) = (b.min.min(value), b.max.max(value));
            (b.last, b.until) = (value, at);
            b.sum += value;
            b.count += 1;
            return false;
        }
        let keep_from = at.saturating_sub((self.span_ms / 100) as u32);
        let old = self.buckets.iter().take_while(|b| b.until < keep_from).count();
        let over = self.buckets.len().saturating_sub(BUCKETS);
        self.buckets.drain(..old.saturating_sub(1).max(over));
        let gain = before.map_or(0.0, |before| step(before, value));
        let (first, min, max, last, sum) = (value, value, value, value, value);
        self.buckets.push(Bucket {
            from: at,
            until: at,
            first,
            min,
            max,
            last,
            sum,
            gain,
            count: 1,
        });
        true
    }

    fn at(&self, at: Ts) -> Option<f64> {
        let at = (at >= self.base?).then(|| self.tenths(at))?;
        let bucket = self.buckets.iter().rev().find(|b| b.from <= at)?;
        let far = at.saturating_sub(bucket.until) > self.width() + SLACK;
        (!far).then(|| f64::from(if bucket.until <= at { bucket.last } else { bucket.first }))
    }

    fn covers(&self, from: Ts) -> bool {
        let Some(base) = self.base.filter(|base| from >= *base) else { return false };
        let (from, slack) = (((from.0 - base.0) / 100) as u32, self.width() + SLACK);
        let after = self.buckets.partition_point(|b| b.from <= from);
        after > 0
            && (from.saturating_sub(self.buckets[after - 1].until) <= slack
                || self.buckets.get(after).is_some_and(|b| b.from - from <= slack))
    }

    /// First, last, min, max, count, length; sum and gain, which depend on the order of adding.
    fn between(&self, from: Ts, to: Ts) -> Option<([f64; 6], [f64; 2])> {
        let to = (to >= self.base?).then(|| self.tenths(to))?;
        let from = self.tenths(from);
        let inside = |b: &Bucket| b.from <= to && b.until >= from;
        let (start, end) =
            (self.buckets.iter().position(inside)?, self.buckets.iter().rposition(inside)?);
        let all = &self.buckets[start..=end];
        let (oldest, newest) = (all.first()?, all.last()?);
        let mut gain: f64 = all.iter().map(|b| f64::from(b.gain)).sum();
        if let Some(outside) = start.checked_sub(1) {
            gain -= f64::from(step(self.buckets[outside].last, oldest.first));
        }
        let min = all.iter().map(|b| b.min).fold(f32::INFINITY, f32::min);
        let max = all.iter().map(|b| b.max).fold(f32::NEG_INFINITY, f32::max);
        let count = all.iter().map(|b| f64::from(b.count)).sum();
        let length = f64::from(newest.until - oldest.from) / 10.0;
        let exact =
            [oldest.first.into(), newest.last.into(), min.into(), max.into(), count, length];
        Some((exact, [all.iter().map(|b| f64::from(b.sum)).sum(), gain.max(0.0)]))
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(250.0), (0..5_000_u32).prop_map(f64::from), -1e6..1e6_f64]
}

proptest! {
    #[test]
    fn a_series_says_what_plain_buckets_say(
        span in prop_oneof![Just(30_000_i64), Just(600_000), Just(1_800_000), Just(86_400_000)],
        samples in proptest::collection::vec(
            (prop_oneof![6 => 9_500..10_500_i64, 2 => 0..40_000_i64, 1 => 0..4_000_000_i64], value()),
            1..250,
        ),
        asked in proptest::collection::vec((-0.2..1.2_f64, 0.0..1.0_f64), 1..20),
    ) {
        let mut series = Series::over(span);
        let mut naive = Naive { span_ms: series.span_ms(), base: None, buckets: Vec::new() };
        let mut now = 5_000_000_i64;
        for (later, value) in &samples {
            now += later;
            assert_eq!(series.push(Ts(now), *value), naive.push(Ts(now), *value));
        }
        assert!(series.buckets.iter().eq(naive.buckets.iter().copied()));
        let written = serde_json::to_string(&series).unwrap();
        let rows = serde_json::to_string(&naive.buckets).unwrap();
        assert!(written.ends_with(&format!("\"buckets\":{rows}}}")), "{written} {rows}");
        assert_eq!(serde_json::from_str::<Series>(&written).unwrap(), series);
        for (place, part) in asked {
            let from = Ts(now - (place * span as f64) as i64);
            let to = from + Duration::from_millis((part * span as f64) as u64);
            assert_eq!(series.at(from), naive.at(from));
            assert_eq!(series.covers(from), naive.covers(from), "{from:?} {series:?}");
            let found = series.between(from, to).map(|s| {
                let length = (s.length.as_millis() / 100) as f64 / 10.0;
                ([s.first, s.last, s.min, s.max, s.count as f64, length], [s.sum, s.gain])
            });
            let expected = naive.between(from, to);
            assert_eq!(found.map(|f| f.0), expected.map(|e| e.0));
            for (a, b) in found.into_iter().flat_map(|f| f.1).zip(expected.into_iter().flat_map(|e| e.1)) {
                assert!((a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()) + 1e6), "{a} {b}");
            }
        }
    }
}
