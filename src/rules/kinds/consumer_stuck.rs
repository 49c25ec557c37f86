//! `consumer_stuck`: the job has something to read and does not get on, whatever the numbers are.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::named::{Key, source_rate, tidy, words};
use super::{Facts, Kind, Span, evidence, fresh_job, known};
use crate::model::{Aspect, Demand, Ts, Verdict, Why};
use crate::tracker::Sample;

/// Slower than one record in a hundred seconds, over all sources, is not reading.
const READING: f64 = 0.01;
/// What Flink reports is the mean of the minute before (metrics, "Meter"): after the last record it
/// goes on for so long, and once it is zero nothing was read for so long already.
const MEAN_OF: Duration = Duration::from_mins(1);
const SHORTEST: Duration = Duration::from_mins(2);
/// What the lag of a job is kept for.
const LONGEST: Duration = Duration::from_hours(1);

/// How a consumer does, in the words of Burrow, `LinkedIn`'s judge of Kafka consumers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ConsumerState {
    /// It gets on, or there is nothing to read.
    Ok,
    /// It reads, and falls further behind from look to look.
    Warn,
    /// It read, and then stopped for longer than it had read.
    Stop,
    /// It read nothing over the whole window.
    Stall,
}

impl ConsumerState {
    /// As written in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            ConsumerState::Ok => "ok",
            ConsumerState::Warn => "warn",
            ConsumerState::Stop => "stop",
            ConsumerState::Stall => "stall",
        }
    }
}

/// True while the job's sources have records to read and are in one of `states`, judged as Burrow
/// does on the job's own series over `window`, without any threshold: records pending
/// (`pendingRecords`) and records handed on. By themselves `stop` and `stall` count: it read and
/// stopped, or read nothing at all. `warn` (it reads, and the backlog never shrinks) may be added.
/// No backlog at any time of the window means that it gets on. Unknown until the window has been
/// watched; n/a for jobs whose sources report no backlog.
///
/// Burrow's `rewind` cannot be told: with Flink every restore of an older checkpoint is one.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerStuck {
    /// Which states count: `warn`, `stop`, `stall` (default `[stop, stall]`).
    #[serde(default = "stop_and_stall")]
    pub states: Vec<ConsumerState>,
    /// What is looked back on, 2m … 1h (default 10m).
    #[serde(default = "ten_minutes")]
    pub window: Span,
    /// So many pending records are none (default 0).
    #[serde(default)]
    pub allowed_lag: f64,
    #[serde(skip)]
    rate: Key,
}

fn stop_and_stall() -> Vec<ConsumerState> {
    vec![ConsumerState::Stop, ConsumerState::Stall]
}

fn ten_minutes() -> Span {
    Span(Duration::from_mins(10))
}

impl ConsumerStuck {
    /// The state the looks since `from` show, in order of time.
    fn state(
        &self,
        (from, now): (Ts, Ts),
        lag: impl Iterator<Item = Sample>,
        rates: impl Iterator<Item = Sample>,
    ) -> ConsumerState {
        let mut before: Option<f64> = None;
        let (mut shrank, mut grew) = (false, false);
        for look in lag {
            if look.min <= self.allowed_lag {
                return ConsumerState::Ok;
            }
            shrank |= before.is_some_and(|before| look.last < before);
            grew |= before.is_some_and(|before| look.last > before);
            before = Some(look.last);
        }
        let Some((first, read_last)) = reading(from, rates) else {
            // Nothing is handed on, yet it reads: all it reads is dropped in the source itself.
            return if shrank { ConsumerState::Ok } else { ConsumerState::Stall };
        };
        if now.since(read_last) > read_last.since(first) && !shrank {
            return ConsumerState::Stop;
        }
        if grew && !shrank { ConsumerState::Warn } else { ConsumerState::Ok }
    }
}

/// Since when the looks tell of reading, and the last time it may have read; `None`: not at all
/// since `from`.
fn reading(from: Ts, rates: impl Iterator<Item = Sample>) -> Option<(Ts, Ts)> {
    let mut first = None;
    let mut read_last = None;
    let mut was_reading = false;
    for look in rates {
        let began = *first.get_or_insert((look.at - MEAN_OF).max(from));
        let reads = look.last > READING;
        if reads {
            read_last = Some(look.at);
        } else if was_reading || look.max > READING {
            read_last = Some((look.at - MEAN_OF).max(began));
        }
        was_reading = reads;
    }
    first.zip(read_last)
}

impl Kind for ConsumerStuck {
    fn aspect(&self) -> &'static str {
        Aspect::LAG
    }

    fn demand(&self) -> Demand {
        let lag = Demand { lag: true, ..Demand::default() };
        lag.union(&Demand::of_metric(source_rate(), self.window.0))
    }

    fn evidence(&self) -> Vec<&'static str> {
        vec!["consumer_state", "lag_records", "records_per_second", "window_seconds"]
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let job = fresh_job!(facts);
        let records = known!(facts, job.lag(), "sources that report a backlog");
        let key = self.rate.of(source_rate);
        let rate = known!(facts, job.number(key), "sources that report what they read");
        let window = words(self.window.0);
        if records <= self.allowed_lag {
            return facts.no(|| format!("{records} records are pending: there is nothing to read"));
        }
        let (now, from) = (job.time.steady, job.time.steady - self.window.0);
        // The first look tells of the minute before it, too.
        let looked = from + MEAN_OF;
        let series = job.job.numbers.series(key, looked).filter(|s| s.covers(looked));
        let (Some(rates), true) = (series, job.job.lag.covers(from)) else {
            return facts.unknown(|| format!("the job has not been watched for {window} yet"));
        };
        let (lag, rates) = (job.job.lag.buckets_since(from), rates.buckets_since(from));
        let state = self.state((from, now), lag, rates);
        let holds = state != ConsumerState::Ok && self.states.contains(&state);
        facts.verdict(holds, || {
            let evidence = evidence! {
                "consumer_state": state.as_str(),
                "lag_records": records,
                "records_per_second": tidy(rate),
                "window_seconds": self.window.0.as_secs(),
            };
            let states: Vec<&str> = self.states.iter().map(|s| s.as_str()).collect();
            Why::from(evidence).words(format!(
                "{}: {records} records pending, {} read per second, over {window}; true for {}",
                state.as_str(),
                tidy(rate),
                states.join(" and "),
            ))
        })
    }

    fn span(&self) -> Option<Duration> {
        Some(self.window.0)
    }

    fn problem(&self) -> Option<String> {
        if self.states.is_empty() || self.states.contains(&ConsumerState::Ok) {
            return Some("consumer_stuck.states must name some of warn, stop, stall".to_owned());
        }
        if !(self.allowed_lag.is_finite() && self.allowed_lag >= 0.0) {
            return Some("consumer_stuck.allowed_lag must be a number from 0 up".to_owned());
        }
        (!(SHORTEST..=LONGEST).contains(&self.window.0))
            .then(|| "consumer_stuck.window must be 2m … 1h".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::model::{Seen, Truth};

    fn kind(yaml: &str) -> ConsumerStuck {
        let kind: ConsumerStuck = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(kind.problem(), None);
        kind
    }

    /// A look each minute: (records pending, records per second).
    fn watched(kind: &ConsumerStuck, looks: &[(f64, f64)]) -> World {
        let mut world = World::new(kind);
        for (i, (lag, rate)) in looks.iter().enumerate() {
            world.lag = Seen::Fresh(*lag);
            world.look(i as i64 * 60, &[(source_rate(), Seen::Fresh(*rate))]);
        }
        world
    }

    fn minutes(of: &[(usize, f64, f64)]) -> Vec<(f64, f64)> {
        of.iter().flat_map(|(n, lag, rate)| vec![(*lag, *rate); *n]).collect()
    }

    #[test]
    fn the_states_are_burrows() {
        let growing: Vec<(f64, f64)> = (0..12).map(|n| (f64::from(n) * 10.0 + 5.0, 4.0)).collect();
        let wavy: Vec<(f64, f64)> = (0..12).map(|n| (f64::from(n % 3) + 5.0, 4.0)).collect();
        let dropped: Vec<(f64, f64)> = (0..12).map(|n| (f64::from(n % 3) + 5.0, 0.0)).collect();
        let all = kind("states: [warn, stop, stall]");
        for (name, looks, state) in [
            ("it reads with a steady backlog", minutes(&[(12, 50.0, 4.0)]), None),
            ("it waits for records", minutes(&[(12, 0.0, 0.0)]), None),
            ("it never read", minutes(&[(12, 50.0, 0.0)]), Some("stall")),
            ("it read, then stopped", minutes(&[(5, 50.0, 4.0), (7, 60.0, 0.0)]), Some("stop")),
            ("it paused for a moment", minutes(&[(9, 50.0, 4.0), (3, 60.0, 0.0)]), Some("warn")),
            ("it falls behind", growing, Some("warn")),
            ("it keeps up by and large", wavy, None),
            ("it reads and drops all of it", dropped, None),
            (
                "there was nothing to read until a moment ago",
                minutes(&[(11, 0.0, 0.0), (1, 50.0, 0.0)]),
                None,
            ),
        ] {
            let verdict = watched(&all, &looks).judge(&all);
            assert_eq!(verdict.truth == Truth::True, state.is_some(), "{name}: {verdict:?}");
            if let Some(state) = state {
                assert_eq!(verdict.evidence["consumer_state"], state, "{name}");
            }
        }
    }

    /// As Flink shows a source that stops dead: its rate fades for a minute, and whoever looks each
    /// half minute sees that late.
    #[test]
    fn the_minute_a_mean_looks_back_is_no_reading() {
        let kind = kind("window: 2m");
        let mut world = World::new(&kind);
        let stopped_at = |world: &mut World, look: i64, stop: i64| {
            let fading = (60 - (look - stop).max(0)).max(0) as f64;
            world.lag = Seen::Fresh(if look < stop { 0.0 } else { (look - stop + 1) as f64 });
            world.look(look, &[(source_rate(), Seen::Fresh(fading))]);
        };
        for look in (0..=160).step_by(10) {
            stopped_at(&mut world, look, 40);
            // Longer without reading than with it, on top of what is watched first.
            if look <= 120 {
                assert_ne!(world.judge(&kind).truth, Truth::True, "after {look} s");
            }
        }
        assert_eq!(world.judge(&kind).truth, Truth::True, "nothing read in two minutes");
    }

    #[test]
    fn by_itself_falling_behind_is_not_being_stuck() {
        let growing: Vec<(f64, f64)> = (0..12).map(|n| (f64::from(n) * 10.0 + 5.0, 4.0)).collect();
        let kind = kind("{}");
        assert_eq!(watched(&kind, &growing).judge(&kind).truth, Truth::False);
        let stalled = watched(&kind, &minutes(&[(12, 50.0, 0.0)]));
        assert_eq!(stalled.judge(&kind).truth, Truth::True);
    }

    #[test]
    fn what_is_not_watched_is_not_judged() {
        let kind = kind("{}");
        assert_eq!(watched(&kind, &minutes(&[(5, 50.0, 0.0)])).judge(&kind).truth, Truth::Unknown);
        let mut world = World::new(&kind);
        world.lag = Seen::NotApplicable;
        world.look(0, &[(source_rate(), Seen::Fresh(0.0))]);
        assert_eq!(world.judge(&kind).truth, Truth::NotApplicable);
        world.lag = Seen::Fresh(5.0);
        world.look(10, &[(source_rate(), Seen::NotApplicable)]);
        assert_eq!(world.judge(&kind).truth, Truth::NotApplicable);
    }

    #[test]
    fn mistakes_are_named() {
        for (yaml, what) in [
            ("states: []", "must name some"),
            ("states: [ok]", "must name some"),
            ("window: 1m", "2m"),
            ("window: 2h", "1h"),
            ("allowed_lag: -1", "from 0 up"),
        ] {
            let kind: ConsumerStuck = serde_saphyr::from_str(yaml).unwrap();
            assert!(kind.problem().unwrap_or_default().contains(what), "{yaml}");
        }
    }
}
