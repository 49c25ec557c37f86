//! When a route is muted, and until when it keeps what is not urgent.

use super::route::RouteConfig;
use crate::model::{DayTime, Hours};
use crate::rules::{IntervalBook, named_intervals};
use crate::yaml::findings::Findings;
use crate::yaml::tree::excerpt;

/// The intervals a route names; unknown ones are reported.
pub(super) fn build(raw: &RouteConfig, book: &IntervalBook, findings: &mut Findings) -> Hours {
    Hours {
        mute: named_intervals(&raw.mute_time_intervals, book, findings),
        active: named_intervals(&raw.active_time_intervals, book, findings),
    }
}

/// Reports intervals on the root: what no other route takes would be told to nobody.
pub(super) fn check_root(raw: &RouteConfig, findings: &mut Findings) {
    let given = [
        ("mute_time_intervals", &raw.mute_time_intervals),
        ("active_time_intervals", &raw.active_time_intervals),
    ];
    for (key, names) in given {
        if let Some(first) = names.first() {
            findings.error(
                first.place,
                format!("the root route cannot have `{key}`"),
                Some("put them on a route under `routes`".to_owned()),
            );
        }
    }
}

/// The hour a route keeps what is not critical for.
pub(super) fn hold_until(
    raw: &RouteConfig,
    inherited: Option<DayTime>,
    findings: &mut Findings,
) -> Option<DayTime> {
    let Some(written) = &raw.hold_until else { return inherited };
    if written.value == "never" {
        return None;
    }
    match DayTime::parse(&written.value) {
        Ok(hour) => Some(hour),
        Err(error) => {
            findings.error(
                written.place,
                format!("`hold_until: {}` is {error}", excerpt(&written.value)),
                Some("write it with two digits, in quotes: `hold_until: \"09:00\"`".to_owned()),
            );
            None
        }
    }
}
