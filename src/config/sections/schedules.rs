//! `schedules`: when jobs are meant to run.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::general::zone;
use crate::config::de::At;
use crate::model::{Schedule, Schedules, WeekHours, WeekHoursError};
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// More hours than this in one schedule are no week.
const MAX_HOURS: usize = 100;

/// When some jobs are meant to run.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Which jobs, by their labels.
    pub matchers: Vec<At<String>>,
    /// Their hours: `Mon-Fri 08:00-24:00`, `22:00-06:00` (into the next day), `Sat,Sun
    /// 10:00-12:00,14:00-18:00`, or a list of such.
    pub running: At<Running>,
    /// IANA zone of the clock that is meant; the configuration's `time_zone`.
    #[serde(default)]
    pub time_zone: Option<At<String>>,
}

/// Hours as written: one text or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running(Vec<At<String>>);

impl<'de> Deserialize<'de> for Running {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Running;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("hours such as \"Mon-Fri 08:00-24:00\", or a list of them")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Running, E> {
                // The place is that of the whole value.
                Ok(Running(vec![At::nowhere(text.to_owned())]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Running, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Running)
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl JsonSchema for Running {
    fn schema_name() -> Cow<'static, str> {
        "Running".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ]
        })
    }
}

/// Builds them; mistakes are reported. `here` is the zone of those that name none.
pub(crate) fn build(
    written: Vec<At<ScheduleConfig>>,
    here: &TimeZone,
    findings: &mut Findings,
) -> Schedules {
    let mut built: Vec<Arc<Schedule>> = Vec::with_capacity(written.len());
    for At { value: raw, place } in written {
        let before = findings.count();
        if raw.matchers.is_empty() {
            findings.error(
                place,
                "a schedule without `matchers` is about no job",
                "say whose hours these are: `matchers: ['team=\"ads\"']`".to_owned(),
            );
        }
        let matchers = super::matchers(&raw.matchers, findings);
        let (hours, text) = hours(raw.running, findings);
        let zone = raw.time_zone.map_or_else(|| here.clone(), |name| zone(&name, findings));
        let same = |known: &Arc<Schedule>| known.matchers == matchers;
        if let Some(first) = built.iter().position(same).filter(|_| !matchers.is_empty()) {
            findings.error(
                place,
                format!("schedule {} has the same matchers: this one would never count", first + 1),
                "put all their hours into one: `running: [\"…\", \"…\"]`".to_owned(),
            );
        }
        if findings.count() == before {
            built.push(Arc::new(Schedule { matchers, hours, text, zone }));
        }
    }
    Schedules(built)
}

fn hours(written: At<Running>, findings: &mut Findings) -> (Vec<WeekHours>, String) {
    let At { value: Running(texts), place: whole } = written;
    if texts.is_empty() {
        let hint = "write `running: \"Mon-Fri 08:00-24:00\"`".to_owned();
        findings.error(whole, "`running` is empty", hint);
    }
    let mut hours = Vec::new();
    for At { value: text, place } in &texts {
        let place = if place.line == 0 { whole } else { *place };
        match WeekHours::parse(text) {
            Ok(read) => hours.extend(read),
            Err(error) => {
                let hint = match error {
                    WeekHoursError::Unreadable => {
                        "write days and times with two digits, in quotes: \"Mon-Fri 08:00-24:00\", \
                         \"22:00-06:00\""
                    }
                    WeekHoursError::Empty => "a whole day is \"00:00-24:00\"",
                };
                let what = format!("`running: {}` is {error}", excerpt(text));
                findings.error(place, what, hint.to_owned());
            }
        }
    }
    if hours.len() > MAX_HOURS {
        let hint = "name ranges of days: `Mon-Fri`".to_owned();
        findings.error(whole, format!("more than {MAX_HOURS} hours in one schedule"), hint);
    }
    let texts: Vec<&str> = texts.iter().map(|text| text.value.trim()).collect();
    (hours, texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Standing, Ts};
    use crate::yaml;

    fn read(text: &str) -> (Schedules, Vec<String>) {
        let mut findings = Findings::new("t.yaml");
        let raw = yaml::read(text, &mut findings).unwrap_or_default();
        let here = TimeZone::get("Asia/Shanghai").unwrap();
        let built = build(raw, &here, &mut findings);
        let said = findings.finish::<()>(None).unwrap_err();
        (built, said.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn hours_are_a_text_or_a_list_on_the_clock_of_the_configuration_or_their_own() {
        let (built, said) = read(
            r#"
- { matchers: ['team="ads"'], running: "Mon-Fri 08:00-24:00" }
- { matchers: ['team=~"ro|ga"', 'env="prod"'], running: ["22:00-06:00", "Sat,Sun 10:00-11:00,12:00-13:00"], time_zone: Europe/Berlin }
"#,
        );
        assert_eq!(said, [""; 0]);
        let words: Vec<String> = built.0.iter().map(|schedule| schedule.words()).collect();
        let expected = [
            "Mon-Fri 08:00-24:00 Asia/Shanghai",
            "22:00-06:00, Sat,Sun 10:00-11:00,12:00-13:00 Europe/Berlin",
        ];
        assert_eq!(words, expected);
        assert_eq!(built.0[1].hours.len(), 3);
        let ads = built.of(&Labels::from([("team", "ads")])).unwrap();
        // Monday, eight in the morning in Shanghai.
        assert_eq!(ads.standing(Ts(1_795_392_000_000)), Standing::Inside);
        assert_eq!(ads.standing(Ts(1_795_391_999_999)), Standing::Outside);
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_the_way_out() {
        let (_, said) = read(
            r#"
- { matchers: ['team="a"'], running: "8-24" }
- { matchers: ['team="b"'], running: ["08:00-24:00", "Mon 08:00-08:00"] }
- { matchers: [], running: "08:00-24:00", time_zone: Asia/Shangai }
- { matchers: ['team'], running: [] }
- { matchers: ['team="c"'], running: "08:00-24:00" }
- { matchers: ['team="c"'], running: "00:00-01:00" }
- { matchers: ['team="d"'], runs: "08:00-24:00" }
- { running: "08:00-24:00" }
"#,
        );
        let expected = [
            "t.yaml:2:38: `running: 8-24` is not hours such as \"08:00-24:00\" or \"Mon-Fri 08:00-24:00\" (write days and times with two digits, in quotes: \"Mon-Fri 08:00-24:00\", \"22:00-06:00\")",
            "t.yaml:3:54: `running: Mon 08:00-08:00` is hours that end when they begin (a whole day is \"00:00-24:00\")",
            "t.yaml:4:3: a schedule without `matchers` is about no job (say whose hours these are: `matchers: ['team=\"ads\"']`)",
            "t.yaml:4:54: unknown time zone `Asia/Shangai` (did you mean `Asia/Shanghai`?)",
        ];
        assert_eq!(said[..4], expected, "{said:#?}");
        let places: Vec<&str> = said.iter().filter_map(|s| s.split(": ").next()).collect();
        assert_eq!(
            places[4..],
            ["t.yaml:5:16", "t.yaml:5:34", "t.yaml:7:3", "t.yaml:8:3", "t.yaml:8:29", "t.yaml:9:3"],
            "{said:#?}"
        );
    }
}
