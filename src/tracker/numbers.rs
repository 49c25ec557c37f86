//! Numbers by name, of a job or of a Flink cluster: the present value, and as much of the past as
//! some rule looks back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Fact;
use super::facts::GOOD_FOR_MS;
use super::series::{Series, Stretch};
use crate::model::{Demand, MetricKey, Metrics, Seen, Ts};

/// What is kept finely: an hour before now, and a window. Whatever looks back further is compared
/// with the present and does as well with coarse buckets.
const FINE: Duration = Duration::from_mins(70);
/// A series that reaches back further than this is worth a row: it takes long to fill again.
const KEPT: Duration = Duration::from_hours(2);

/// What is looked back on, by metric: from the demand of all rules.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spans(BTreeMap<MetricKey, Duration>);

impl Spans {
    /// As the rules demand it.
    pub fn of(demand: &Demand) -> Spans {
        Spans(demand.metrics.iter().map(|(query, span)| (query.key(), *span)).collect())
    }

    fn get(&self, key: &MetricKey) -> Option<(&MetricKey, Duration)> {
        self.0.get_key_value(key).map(|(key, span)| (key, *span))
    }
}

/// The past of one number: finely for the last hour, coarsely beyond it.
#[derive(Debug, Clone, PartialEq)]
struct Past {
    fine: Series,
    /// Boxed: few have one.
    coarse: Option<Box<Series>>,
}

/// One number.
#[derive(Debug, Clone, PartialEq)]
struct Track {
    value: f64,
    heard: Option<Ts>,
    not_applicable: bool,
    past: Option<Box<Past>>,
}

/// All numbers of one job or Flink cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Numbers {
    /// By key; few, so that a sorted list is the smallest and fastest of maps.
    tracks: Vec<(MetricKey, Track)>,
}

/// Long series as they are written down.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    series: BTreeMap<MetricKey, Series>,
}

impl Track {
    fn new(span: Duration) -> Track {
        let mut track = Track { value: 0.0, heard: None, not_applicable: false, past: None };
        track.fit(span);
        track
    }

    /// Keeps as much as is looked back on; what is known already stays, where it fits.
    fn fit(&mut self, span: Duration) {
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        if span.is_zero() {
            self.past = None;
            return;
        }
        let fine = millis(span.min(FINE));
        let coarse = (span > FINE).then(|| millis(span));
        let same = |past: &Past| {
            past.fine.span_ms() == Series::over(fine).span_ms()
                && past.coarse.as_deref().map(Series::span_ms) == coarse
        };
        if self.past.as_deref().is_some_and(same) {
            return;
        }
        let before = self.past.take();
        let (old_fine, old_coarse) =
            before.map_or((None, None), |p| (Some(p.fine), p.coarse.map(|coarse| *coarse)));
        self.past = Some(Box::new(Past {
            fine: refit(old_fine, fine),
            coarse: coarse.map(|span| Box::new(refit(old_coarse, span))),
        }));
    }

    /// True if a bucket of a series that is kept was closed.
    fn hear(&mut self, now: Ts, seen: &Seen<f64>) -> bool {
        match seen {
            Seen::Fresh(value) => {
                self.value = *value;
                self.heard = Some(now);
                self.not_applicable = false;
                let Some(past) = self.past.as_deref_mut() else { return false };
                past.fine.push(now, *value);
                let Some(coarse) = &mut past.coarse else { return false };
                coarse.push(now, *value) && is_kept(coarse)
            }
            Seen::NotApplicable => {
                self.not_applicable = true;
                self.heard = Some(now);
                false
            }
            Seen::NotAsked | Seen::Unknown => false,
        }
    }
}

fn is_kept(series: &Series) -> bool {
    series.span_ms() > KEPT.as_millis() as i64
}

/// The samples of a series in one of another span.
fn refit(old: Option<Series>, span_ms: i64) -> Series {
    let mut series = Series::over(span_ms);
    if let Some(old) = old {
        if old.span_ms() == series.span_ms() {
            return old;
        }
        for sample in old.buckets_since(Ts(i64::MIN)) {
            series.push(sample.at, sample.last);
        }
    }
    series
}

impl Numbers {
    /// Takes in what one look showed; true if long series moved on so far that they are worth
    /// writing down.
    pub(super) fn hear(&mut self, now: Ts, seen: &Metrics, spans: &Spans) -> bool {
        let mut moved = false;
        for (key, value) in seen {
            // Asked for by a demand that is gone.
            let Some((key, span)) = spans.get(key) else { continue };
            let index = match self.find(key) {
                Ok(index) => index,
                Err(index) => {
                    self.tracks.reserve_exact(1);
                    self.tracks.insert(index, (key.clone(), Track::new(span)));
                    index
                }
            };
            if let Some((_, track)) = self.tracks.get_mut(index) {
                moved |= track.hear(now, value);
            }
        }
        moved
    }

    /// Drops what nobody looks at any more, and keeps as much past as is looked back on.
    pub(super) fn fit(&mut self, spans: &Spans) {
        self.tracks.retain_mut(|(key, track)| match spans.get(key) {
            Some((_, span)) => {
                track.fit(span);
                true
            }
            None => false,
        });
        self.tracks.shrink_to_fit();
    }

    fn find(&self, key: &MetricKey) -> Result<usize, usize> {
        self.tracks.binary_search_by(|(known, _)| known.cmp(key))
    }

    fn track(&self, key: &MetricKey) -> Option<&Track> {
        let (_, track) = self.tracks.get(self.find(key).ok()?)?;
        Some(track)
    }

    /// The long series, if there are any: a row that survives a restart.
    pub(super) fn kept(&self) -> Option<String> {
        let long = self.tracks.iter().filter_map(|(key, track)| {
            let coarse = track.past.as_ref()?.coarse.as_deref()?;
            is_kept(coarse).then(|| (key.clone(), coarse.clone()))
        });
        let kept = Kept { series: long.collect() };
        if kept.series.is_empty() { None } else { serde_json::to_string(&kept).ok() }
    }

    /// Long series as a former process wrote them down. What cannot be read fills anew.
    pub(super) fn restore(body: &str) -> Numbers {
        let kept: Kept = serde_json::from_str(body).unwrap_or_default();
        let tracks = kept.series.into_iter().map(|(key, coarse)| {
            let span = Duration::from_millis(u64::try_from(coarse.span_ms()).unwrap_or(0));
            let mut track = Track::new(span);
            if let Some(past) = track.past.as_deref_mut() {
                past.coarse = Some(Box::new(coarse));
            }
            (key, track)
        });
        Numbers { tracks: tracks.collect() }
    }

    /// The present value.
    pub fn now(&self, key: &MetricKey, now: Ts) -> Fact<f64> {
        match self.track(key) {
            Some(t) if t.heard.is_some_and(|at| now.since(at).as_millis() <= GOOD_FOR_MS) => {
                if t.not_applicable { Fact::NotApplicable } else { Fact::Known(t.value) }
            }
            _ => Fact::Unknown,
        }
    }

    /// What is known of the time from `from` to `to`, as finely as it is kept.
    pub fn between(&self, key: &MetricKey, from: Ts, to: Ts) -> Option<Stretch> {
        self.series(key, from)?.between(from, to)
    }

    /// The series that shows the time since `from` best.
    pub fn series(&self, key: &MetricKey, from: Ts) -> Option<&Series> {
        let past = self.track(key)?.past.as_deref()?;
        match past.coarse.as_deref() {
            Some(coarse) if !past.fine.covers(from) && coarse.covers(from) => Some(coarse),
            _ => Some(&past.fine),
        }
    }

    /// Since when it is known.
    pub fn known_since(&self, key: &MetricKey) -> Option<Ts> {
        let past = self.track(key)?.past.as_deref()?;
        let coarse = past.coarse.as_deref().and_then(Series::first_at);
        coarse.into_iter().chain(past.fine.first_at()).min()
    }

    /// What is known of the time from `from` to `to`, where samples reach back to `from`.
    pub fn covered(&self, key: &MetricKey, from: Ts, to: Ts) -> Option<Stretch> {
        let past = self.track(key)?.past.as_deref()?;
        let all = [Some(&past.fine), past.coarse.as_deref()];
        all.into_iter().flatten().find(|series| series.covers(from))?.between(from, to)
    }
}

#[cfg(test)]
#[path = "numbers_tests.rs"]
mod tests;
