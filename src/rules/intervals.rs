//! `time_intervals` as written, in Alertmanager's words, in a configuration or a rule file.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{TimeInterval, TimeIntervals};
use crate::yaml::At;
use crate::yaml::findings::Findings;
use crate::yaml::suggest;
use crate::yaml::tree::excerpt;

/// More ranges than this in one list are no calendar.
const MAX_RANGES: usize = 1_000;

const WEEKDAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A named time interval.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTimeIntervals {
    /// How routes and rules refer to it.
    pub name: At<String>,
    /// Its parts: a time in any of them is in it.
    pub time_intervals: Vec<RawTimeInterval>,
}

/// A part: a time must be in one range of every list that is given.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawTimeInterval {
    /// Times of day.
    pub times: Vec<RawTimes>,
    /// `monday:friday`, `sunday`.
    pub weekdays: Vec<At<String>>,
    /// `1:5`, `-3:-1` (the last three).
    pub days_of_month: Vec<At<String>>,
    /// `january:march`, `5`.
    pub months: Vec<At<String>>,
    /// `2026:2028`.
    pub years: Vec<At<String>>,
    /// IANA zone, such as `Asia/Shanghai`; UTC.
    pub location: Option<At<String>>,
}

/// From a time of day until another; the end does not belong to it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTimes {
    /// `09:00`.
    pub start_time: At<String>,
    /// `18:00`, at most `24:00`.
    pub end_time: At<String>,
}

/// Time intervals by name.
pub type IntervalBook = BTreeMap<String, Arc<TimeIntervals>>;

/// Adds what was written to `book`; mistakes are reported.
pub(crate) fn build_intervals(
    written: Vec<RawTimeIntervals>,
    book: &mut IntervalBook,
    findings: &mut Findings,
) {
    for raw in written {
        let name = raw.name.value;
        if name.is_empty() {
            findings.error(raw.name.place, "a time interval without a name", None);
        }
        let parts = raw.time_intervals.into_iter().map(|part| build_part(part, findings)).collect();
        let built = TimeIntervals { name: name.clone(), parts };
        if book.insert(name.clone(), Arc::new(built)).is_some() {
            let what = format!("time interval `{}` exists twice", excerpt(&name));
            findings.error(raw.name.place, what, "give each its own name".to_owned());
        }
    }
}

/// The intervals with these names; unknown ones are reported.
pub(crate) fn named(
    names: &[At<String>],
    book: &IntervalBook,
    findings: &mut Findings,
) -> Vec<Arc<TimeIntervals>> {
    let mut found = Vec::with_capacity(names.len());
    for At { value: name, place } in names {
        if let Some(known) = book.get(name) {
            found.push(Arc::clone(known));
            continue;
        }
        let hint = match suggest::nearest(name, book.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "define it under `time_intervals`, here or in the configuration".to_owned(),
        };
        findings.error(*place, format!("unknown time interval `{}`", excerpt(name)), hint);
    }
    found
}

fn build_part(raw: RawTimeInterval, findings: &mut Findings) -> TimeInterval {
    let mut part = TimeInterval::default();
    for RawTimes { start_time, end_time } in raw.times.into_iter().take(MAX_RANGES) {
        let (from, to) = (minute(&start_time, findings), minute(&end_time, findings));
        if let (Some(from), Some(to)) = (from, to) {
            if from >= to {
                let hint = "for a night write two: 22:00 to 24:00, and 00:00 to 06:00".to_owned();
                findings.error(end_time.place, "`end_time` is not after `start_time`", hint);
            }
            part.times.push((from, to));
        }
    }
    part.weekdays =
        ranges(&raw.weekdays, findings, "a day of the week", 0, 6, |t| name(t, &WEEKDAYS));
    part.months = ranges(&raw.months, findings, "a month", 1, 12, |text| {
        name(text, &MONTHS).map(|m| m + 1).or_else(|| text.parse().ok())
    });
    part.days_of_month =
        ranges(&raw.days_of_month, findings, "a day of a month", -31, 31, |text| {
            text.parse().ok().filter(|day| *day != 0)
        });
    part.years = ranges(&raw.years, findings, "a year", 1970, 9998, |text| text.parse().ok());
    if let Some(At { value, place }) = raw.location {
        match TimeZone::get(&value) {
            Ok(zone) => part.zone = zone,
            Err(_) => findings.error(
                place,
                format!("unknown time zone `{}`", excerpt(&value)),
                "use an IANA name such as `Asia/Shanghai` or `UTC`".to_owned(),
            ),
        }
    }
    part
}

/// `HH:MM` as a minute of the day.
fn minute(text: &At<String>, findings: &mut Findings) -> Option<u16> {
    let read = || {
        let (hour, minute) = text.value.split_once(':')?;
        let digits = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(hour) || !digits(minute) {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= 1440).then_some(hour * 60 + minute)
    };
    let read = read();
    if read.is_none() {
        let what = format!("`{}` is no time of day", excerpt(&text.value));
        findings.error(text.place, what, "write it as \"09:30\", in quotes".to_owned());
    }
    read
}

fn name(text: &str, names: &[&str]) -> Option<i8> {
    let at = names.iter().position(|n| n.eq_ignore_ascii_case(text))?;
    i8::try_from(at).ok()
}

/// `from:to` or one value alone.
fn ranges<T: Copy + PartialOrd + Default>(
    written: &[At<String>],
    findings: &mut Findings,
    what: &str,
    least: T,
    most: T,
    read: impl Fn(&str) -> Option<T>,
) -> Vec<(T, T)> {
    let mut found = Vec::new();
    for At { value: text, place } in written.iter().take(MAX_RANGES) {
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        let fits = |n: &T| (least..=most).contains(n);
        let ends = (read(from.trim()).filter(fits), read(to.trim()).filter(fits));
        let (Some(from), Some(to)) = ends else {
            let said = format!("`{}` is not {what}, nor a range of them", excerpt(text));
            findings.error(*place, said, example(what).to_owned());
            continue;
        };
        // From the first to the last day of a month is 1:-1; the other way round is nothing.
        let zero = T::default();
        let ordered = if (from < zero) == (to < zero) { from <= to } else { to < zero };
        if ordered {
            found.push((from, to));
        } else {
            let said = format!("the range `{}` ends before it begins", excerpt(text));
            findings.error(*place, said, "write two ranges".to_owned());
        }
    }
    found
}

fn example(what: &str) -> &'static str {
    match what {
        "a day of the week" => "monday:friday, or sunday",
        "a month" => "january:march, 1:3, or may",
        "a year" => "2026:2028, or 2026",
        _ => "1:5, 15, or -3:-1 for the last three",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn read(text: &str) -> (IntervalBook, Vec<String>) {
        let mut findings = Findings::new("t.yaml");
        let raw: Vec<RawTimeIntervals> = yaml::read(text, &mut findings).unwrap_or_default();
        let mut book = IntervalBook::new();
        build_intervals(raw, &mut book, &mut findings);
        let said = findings.finish::<()>(None).unwrap_err();
        (book, said.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn alertmanagers_words_are_read() {
        let (book, said) = read(
            r#"
- name: office
  time_intervals:
    - times: [{ start_time: "09:00", end_time: "24:00" }]
      weekdays: ["Monday:friday", sunday]
      days_of_month: ["1:5", "-3:-1", 15, "1:-1"]
      months: ["january:march", 5, december]
      years: ["2026:2028", 2030]
      location: Asia/Shanghai
"#,
        );
        assert_eq!(said, [""; 0]);
        let part = &book["office"].parts[0];
        assert_eq!(part.times, [(540, 1440)]);
        assert_eq!(part.weekdays, [(1, 5), (0, 0)]);
        assert_eq!(part.days_of_month, [(1, 5), (-3, -1), (15, 15), (1, -1)]);
        assert_eq!(part.months, [(1, 3), (5, 5), (12, 12)]);
        assert_eq!(part.years, [(2026, 2028), (2030, 2030)]);
        assert_eq!(part.zone.iana_name(), Some("Asia/Shanghai"));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let (_, said) = read(
            r#"
- name: a
  time_intervals:
    - times: [{ start_time: "22:00", end_time: "06:00" }, { start_time: "9:00", end_time: "24:01" }]
      weekdays: ["saturday:sunday", funday]
      days_of_month: [0, 32, "5:1", "-1:5", 99999999999]
      months: [13]
      location: Mars/Olympus
- name: a
  time_intervals: []
"#,
        );
        let places: Vec<&str> = said.iter().filter_map(|s| s.split(": ").next()).collect();
        let expected = [
            "t.yaml:4:48",
            "t.yaml:4:73",
            "t.yaml:4:91",
            "t.yaml:5:18",
            "t.yaml:5:37",
            "t.yaml:6:23",
            "t.yaml:6:26",
            "t.yaml:6:30",
            "t.yaml:6:37",
            "t.yaml:6:45",
            "t.yaml:7:16",
            "t.yaml:8:17",
            "t.yaml:9:9",
        ];
        assert_eq!(places, expected, "{said:#?}");
    }
}
