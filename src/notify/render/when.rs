//! Times and durations as people read them. Pure: `now` is an argument.

use std::time::Duration;

use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::words::pick;
use crate::model::Ts;
use crate::notify::Language;

fn zoned(ts: Ts, zone: &TimeZone) -> Zoned {
    // Out of range can only be a broken clock; the nearest representable time is as good as any.
    let bound = if ts.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ts.0).unwrap_or(bound).to_zoned(zone.clone())
}

/// `11-21 03:12 +08:00`; with the year when it is not this year.
pub(super) fn clock(ts: Ts, now: Ts, zone: &TimeZone) -> String {
    let at = zoned(ts, zone);
    let format =
        if at.year() == zoned(now, zone).year() { "%m-%d %H:%M %:z" } else { "%Y-%m-%d %H:%M %:z" };
    at.strftime(format).to_string()
}

/// `45 s`, `18 min`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(language: Language, span: Duration) -> String {
    let seconds = span.as_secs();
    let (d, h, m) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let day = |n| pick(language, format!("{n} d"), format!("{n} 天"));
    let hour = |n| pick(language, format!("{n} h"), format!("{n} 小时"));
    let minute = |n| pick(language, format!("{n} min"), format!("{n} 分钟"));
    let parts = match (d, h, m) {
        (0, 0, 0) => vec![pick(language, format!("{seconds} s"), format!("{seconds} 秒"))],
        (0, 0, m) => vec![minute(m)],
        (0, h, 0) => vec![hour(h)],
        (0, h, m) => vec![hour(h), minute(m)],
        (d, 0, _) => vec![day(d)],
        (d, h, _) => vec![day(d), hour(h)],
    };
    parts.join(" ")
}

/// `18 min ago`, `18 分钟前`.
pub(super) fn ago(language: Language, ts: Ts, now: Ts) -> String {
    let span = now.since(ts);
    if span.as_secs() == 0 {
        return pick(language, "just now", "刚刚").to_owned();
    }
    let span = duration(language, span);
    pick(language, format!("{span} ago"), format!("{span}前"))
}

/// `11-21 03:12 +08:00, 18 min ago`.
pub(super) fn since(language: Language, ts: Ts, now: Ts, zone: &TimeZone) -> String {
    let comma = pick(language, ", ", "，");
    format!("{}{comma}{}", clock(ts, now, zone), ago(language, ts, now))
}

/// RFC 3339 in UTC, for machines.
pub(crate) fn rfc3339(ts: Ts) -> String {
    zoned(ts, &TimeZone::UTC).timestamp().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_zone_and_age() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let now = Ts(1_795_203_000_000);
        let at = now - Duration::from_mins(18);
        assert_eq!(since(Language::En, at, now, &zone), "11-21 03:12 +08:00, 18 min ago");
        assert_eq!(since(Language::Zh, at, now, &zone), "11-21 03:12 +08:00，18 分钟前");
        let old = now - Duration::from_hours(400 * 24);
        assert_eq!(clock(old, now, &zone), "2025-10-17 03:30 +08:00");
        assert_eq!(clock(Ts(i64::MAX), now, &TimeZone::UTC), "9999-12-30 22:00 +00:00");
    }

    #[test]
    fn durations_have_two_parts_at_most() {
        for (seconds, en, zh) in [
            (0, "0 s", "0 秒"),
            (59, "59 s", "59 秒"),
            (1080, "18 min", "18 分钟"),
            (7200, "2 h", "2 小时"),
            (7500, "2 h 5 min", "2 小时 5 分钟"),
            (273_900, "3 d 4 h", "3 天 4 小时"),
        ] {
            let span = Duration::from_secs(seconds);
            assert_eq!(duration(Language::En, span), en);
            assert_eq!(duration(Language::Zh, span), zh);
        }
        assert_eq!(ago(Language::En, Ts(5), Ts(1)), "just now");
    }
}
