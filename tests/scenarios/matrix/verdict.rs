//! What fired, held against what must and may.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::expect::{self, Expected, Row};
use super::watch::{Sighting, Sightings};

/// What a driver did to Flink.
#[derive(Debug, Clone, Default)]
pub(crate) struct Act {
    /// Jobs it is about.
    pub(crate) jobs: Vec<String>,
    /// It is about the cluster as well.
    pub(crate) cluster: bool,
    /// When the trouble began, milliseconds since the epoch; by alert where they differ.
    began: BTreeMap<String, i64>,
    began_ms: Option<i64>,
}

impl Act {
    /// On this job.
    pub(crate) fn on(job: &str) -> Act {
        Act { jobs: vec![job.to_owned()], ..Act::default() }
    }

    /// The trouble began.
    #[must_use]
    pub(crate) fn began(mut self, at_ms: i64) -> Act {
        self.began_ms = Some(at_ms);
        self
    }

    /// What this alert is about began.
    #[must_use]
    pub(crate) fn began_for(mut self, alert: &str, at_ms: i64) -> Act {
        self.began.insert(alert.to_owned(), at_ms);
        self
    }

    /// Alerts of the cluster belong to it.
    #[must_use]
    pub(crate) fn of_cluster(mut self) -> Act {
        self.cluster = true;
        self
    }

    /// When what this alert is about began.
    pub(crate) fn began_ms(&self, alert: &str) -> Option<i64> {
        self.began.get(alert).copied().or(self.began_ms)
    }

    fn is_about(&self, job: &str) -> bool {
        if job.is_empty() { self.cluster } else { self.jobs.iter().any(|name| name == job) }
    }
}

/// What both Weirs saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) shipped: Sightings,
    pub(crate) short: Sightings,
}

impl Seen {
    /// Alerts about what this act is about, each by the Weir that judges it.
    fn of<'a>(&'a self, act: &'a Act, expected: &'a Expected) -> BTreeMap<&'a str, &'a Sighting> {
        let short =
            self.short.iter().filter(|((_, alert), _)| expected.shortened.contains_key(alert));
        let all = self.shipped.iter().chain(short);
        let mut found: BTreeMap<&str, &Sighting> = BTreeMap::new();
        for ((job, alert), sighting) in all {
            if act.is_about(job) {
                let known = found.entry(alert).or_insert(sighting);
                if sighting.since_ms < known.since_ms {
                    *known = sighting;
                }
            }
        }
        found
    }

    /// Whether everything that must has fired.
    pub(crate) fn has(&self, act: &Act, expected: &Expected, must: &[String]) -> bool {
        let found = self.of(act, expected);
        must.iter().all(|alert| found.contains_key(alert.as_str()))
    }

    /// All that fired about it, for who looks into a bad cell.
    pub(crate) fn about(&self, act: &Act) -> String {
        let both = [("shipped", &self.shipped), ("short", &self.short)];
        let lines = both.into_iter().flat_map(|(weir, sightings)| {
            let ours = sightings.iter().filter(|((job, _), _)| act.is_about(job));
            ours.map(move |((job, alert), sighting)| {
                format!("{weir}: {alert} of {job:?} since {}", sighting.since_ms)
            })
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    /// Told alerts of the cluster.
    pub(crate) fn of_cluster(&self) -> BTreeSet<String> {
        let all = self.shipped.iter().chain(&self.short);
        all.filter(|((job, _), s)| job.is_empty() && s.told).map(|((_, a), _)| a.clone()).collect()
    }
}

/// An alert that had to fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fired {
    alert: String,
    after_ms: i64,
    wait: Duration,
    told: bool,
}

/// A cell of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Cannot be played here, and why.
    NotApplicable(String),
    /// The scenario itself did not work, and why.
    Broken(String),
    /// Played to its end.
    Played(Outcome),
}

/// What came of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    fired: Vec<Fired>,
    missed: Vec<String>,
    /// Had to fire, but no shipped rule is called so.
    no_rule: Vec<String>,
    /// With milliseconds after the beginning, where there is one.
    false_alarms: Vec<(String, Option<i64>)>,
    poll: Duration,
}

/// Judges a scenario.
pub(crate) fn judge(
    row: &Row,
    must: &[String],
    act: &Act,
    seen: &Seen,
    expected: &Expected,
    poll: Duration,
) -> Outcome {
    let found = seen.of(act, expected);
    let mut outcome = Outcome { poll, ..Outcome::default() };
    let shipped = expect::shipped_alerts();
    for alert in must {
        let began = act.began_ms(alert);
        match (found.get(alert.as_str()), began) {
            (Some(sighting), Some(began)) => outcome.fired.push(Fired {
                alert: alert.clone(),
                after_ms: sighting.since_ms - began,
                wait: expected.wait(alert),
                told: sighting.told,
            }),
            _ if !shipped.contains(alert) => outcome.no_rule.push(alert.clone()),
            _ => outcome.missed.push(alert.clone()),
        }
    }
    for (alert, sighting) in found {
        let known = must.iter().chain(&row.may).any(|name| name == alert);
        // What nobody heard of was explained by something else, and is no alarm.
        if !known && sighting.told {
            let after = act.began_ms(alert).map(|began| sighting.since_ms - began);
            outcome.false_alarms.push((alert.to_owned(), after));
        }
    }
    outcome
}

impl Fired {
    fn polls(&self, poll: Duration) -> u128 {
        let after = Duration::from_millis(self.after_ms.max(0) as u64);
        let ms = after.saturating_sub(self.wait).as_millis();
        ms.div_ceil(poll.as_millis().max(1))
    }

    /// Said before it was true. Clocks tick in milliseconds, and two processes read them.
    fn early(&self) -> bool {
        self.after_ms < -100
    }

    fn good(&self, poll: Duration) -> bool {
        self.told && !self.early() && self.polls(poll) <= 2
    }
}

impl Cell {
    /// Played, and everything that must has fired, however late, and nothing else.
    pub(crate) fn nothing_missed_or_false(&self) -> bool {
        matches!(self, Cell::Played(o) if
            o.missed.is_empty()
                && o.no_rule.is_empty()
                && o.false_alarms.is_empty()
                && o.fired.iter().all(|f| f.told && !f.early()))
    }

    /// As it should be, or not played.
    pub(crate) fn good(&self) -> bool {
        match self {
            Cell::NotApplicable(_) => true,
            Cell::Broken(_) => false,
            Cell::Played(o) => {
                o.missed.is_empty()
                    && o.no_rule.is_empty()
                    && o.false_alarms.is_empty()
                    && o.fired.iter().all(|f| f.good(o.poll))
            }
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::NotApplicable(why) => write!(f, "n/a: {why}"),
            Cell::Broken(why) => {
                let line = why.lines().next().unwrap_or_default();
                write!(f, "**could not be played: {}**", line.replace('|', "/"))
            }
            Cell::Played(outcome) => outcome.fmt(f),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for fired in &self.fired {
            let (polls, seconds) = (fired.polls(self.poll), fired.after_ms as f64 / 1000.0);
            let mut text = format!(
                "{} {seconds:.1} s ({polls} poll{} + {} s)",
                fired.alert,
                if polls == 1 { "" } else { "s" },
                fired.wait.as_secs()
            );
            if !fired.told {
                text = format!("**{text}, nobody told**");
            } else if fired.early() {
                text = format!("**too early: {} {seconds:.1} s**", fired.alert);
            } else if !fired.good(self.poll) {
                text = format!("**late: {text}**");
            }
            parts.push(text);
        }
        parts.extend(self.missed.iter().map(|alert| format!("**missed: {alert}**")));
        parts.extend(self.no_rule.iter().map(|alert| format!("**no rule {alert}**")));
        for (alert, after) in &self.false_alarms {
            let when = after.map(|ms| format!(" at {:.1} s", ms as f64 / 1000.0));
            parts.push(format!("**false alarm: {alert}{}**", when.unwrap_or_default()));
        }
        if parts.is_empty() {
            parts.push("silent".to_owned());
        }
        f.write_str(&parts.join("<br>"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(alerts: &[(&str, &str, i64, bool)]) -> Seen {
        let shipped = alerts.iter().map(|(job, alert, since_ms, told)| {
            let key = ((*job).to_owned(), (*alert).to_owned());
            (key, Sighting { since_ms: *since_ms, incident: 1, told: *told })
        });
        Seen { shipped: shipped.collect(), short: Sightings::new() }
    }

    fn cell(must: &[&str], seen: &Seen) -> String {
        let expected = Expected::read().unwrap();
        let must: Vec<String> = must.iter().map(|&m| m.to_owned()).collect();
        let act = Act::on("a").began(10_000);
        let row = Row { may: vec!["JobUnstable".to_owned()], ..Row::default() };
        let poll = Duration::from_secs(2);
        Cell::Played(judge(&row, &must, &act, seen, &expected, poll)).to_string()
    }

    #[test]
    fn cells_say_what_was_and_what_was_not() {
        assert_eq!(cell(&[], &seen(&[("b", "JobFailed", 1, true)])), "silent");
        assert_eq!(cell(&[], &seen(&[("a", "JobFailed", 1, false)])), "silent");
        assert_eq!(cell(&["JobFailed"], &seen(&[])), "**missed: JobFailed**");
        let in_time = [("a", "JobFailed", 13_100, true), ("a", "JobUnstable", 13_100, true)];
        assert_eq!(cell(&["JobFailed"], &seen(&in_time)), "JobFailed 3.1 s (2 polls + 0 s)");
        let late = seen(&[("a", "JobFailed", 14_100, true)]);
        assert_eq!(cell(&["JobFailed"], &late), "**late: JobFailed 4.1 s (3 polls + 0 s)**");
        let waits = seen(&[("a", "DuplicateJob", 41_900, true)]);
        assert_eq!(cell(&["DuplicateJob"], &waits), "DuplicateJob 31.9 s (1 poll + 30 s)");
        let early = seen(&[("a", "JobFailed", 8_000, true)]);
        assert_eq!(cell(&["JobFailed"], &early), "**too early: JobFailed -2.0 s**");
        let wrong = seen(&[("a", "JobMissing", 11_000, true)]);
        assert_eq!(cell(&[], &wrong), "**false alarm: JobMissing at 1.0 s**");
        let unheard = seen(&[("a", "JobFailed", 11_000, false)]);
        let text = "**JobFailed 1.0 s (1 poll + 0 s), nobody told**";
        assert_eq!(cell(&["JobFailed"], &unheard), text);
    }
}
