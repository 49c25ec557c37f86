//! Notices nobody wants to hear of now, by a silence. Resolutions pass: they go to exactly those who
//! were told that it began, and for these the silence is what they wait through, not what they miss.

use jiff::tz::TimeZone;

use super::pipeline::Pipeline;
use crate::incidents::Incidents;
use crate::model::{Incident, Notice, Ts};

impl Pipeline {
    /// What silences news of an incident: `#7 until 09:00`, in the reader's zone.
    pub(super) fn silenced_by(
        &self,
        notice: &Notice,
        incident: &Incident,
        incidents: &Incidents,
        now: Ts,
    ) -> Option<String> {
        let silence = incidents.silences().hiding(incident, now)?;
        let zone = self.receiver_of(&notice.to).map_or(TimeZone::UTC, |r| r.zone.clone());
        let what = if silence.maintenance { "maintenance " } else { "" };
        Some(format!("{what}#{} until {}", silence.id, until(silence.ends_at, now, &zone)))
    }
}

/// The time of day; with its day where that is another one.
fn until(at: Ts, now: Ts, zone: &TimeZone) -> String {
    let local = |ts: Ts| {
        let at = jiff::Timestamp::from_millisecond(ts.0).unwrap_or_default();
        at.to_zoned(zone.clone())
    };
    let (at, now) = (local(at), local(now));
    let same_day = at.date() == now.date();
    at.strftime(if same_day { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_in_the_readers_zone() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        // 2026-11-20T22:30:00Z.
        let now = Ts(1_795_213_800_000);
        let in_hours = |h: i64| now.shifted(h * 3_600_000);
        assert_eq!(until(in_hours(1), now, &TimeZone::UTC), "23:30");
        assert_eq!(until(in_hours(2), now, &TimeZone::UTC), "2026-11-21 00:30");
        assert_eq!(until(in_hours(2), now, &shanghai), "08:30");
    }
}
