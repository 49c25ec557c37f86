//! Ways of notices for people: one block each.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::output::Words;
use crate::notify::render::escape::line;
use crate::web::notices::{Item, Why};

/// All of them, the newest last, where the eye is.
pub(super) fn all(notices: &[Item], language: Words, zone: &TimeZone) -> String {
    if notices.is_empty() {
        return language.pick("no notices", "没有通知").to_owned();
    }
    let blocks: Vec<String> = notices.iter().rev().map(|n| block(n, language, zone)).collect();
    blocks.join("\n\n")
}

/// Why there are none.
pub(super) fn why(why: &Why, language: Words) -> String {
    let title = language.pick("why", "原因");
    let mut text = match &why.job {
        Some(job) => format!("{title} · {}", line(job)),
        None => title.to_owned(),
    };
    for reason in &why.reasons {
        text.push_str("\n  - ");
        text.push_str(&line(reason));
    }
    text
}

/// The newest from before the time asked for.
pub(super) fn before(last: &Item, language: Words, zone: &TimeZone) -> String {
    let title = language.pick("the last one before that", "此前最近一条");
    format!("{title}\n{}", block(last, language, zone))
}

/// `#12 JobFailed (critical) · job:prod/orders · 2026-11-21 +08:00`, then its way.
fn block(notice: &Item, language: Words, zone: &TimeZone) -> String {
    let mut head = format!("#{}", notice.incident);
    if let (Some(rule), Some(severity)) = (&notice.rule, &notice.severity) {
        write!(head, " {} ({})", line(rule), line(severity)).ok();
    }
    if let Some(subject) = &notice.subject {
        write!(head, " · {}", line(subject)).ok();
    }
    if let Some(day) = notice.at.as_deref().and_then(|at| day(at, zone)) {
        write!(head, " · {day}").ok();
    }
    let to = format!("{}/{}", line(&notice.receiver), line(&notice.channel));
    let word = language.pick("for", "发给");
    let mut text = format!("{head}\n  {word} {to}: {}\n  ", line(language.of(&notice.outcome)));
    let stations: Vec<String> = notice
        .path
        .iter()
        .map(|station| {
            let what = line(&station.what);
            match station.at.as_deref().and_then(|at| clock(at, zone)) {
                Some(at) => format!("{what} {at}"),
                None => what,
            }
        })
        .collect();
    text.push_str(&stations.join("\n  → "));
    text
}

fn zoned(at: &str, zone: &TimeZone) -> Option<jiff::Zoned> {
    Some(at.parse::<Timestamp>().ok()?.to_zoned(zone.clone()))
}

/// The day a notice is of, with the zone its times are in.
fn day(at: &str, zone: &TimeZone) -> Option<String> {
    Some(zoned(at, zone)?.strftime("%Y-%m-%d %:z").to_string())
}

fn clock(at: &str, zone: &TimeZone) -> Option<String> {
    Some(zoned(at, zone)?.strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::notices::Station;

    fn item() -> Item {
        let station = |at: Option<&str>, what: &str| Station {
            at: at.map(str::to_owned),
            what: what.to_owned(),
        };
        Item {
            id: 31,
            incident: 12,
            receiver: "ro".to_owned(),
            channel: "feishu_bot".to_owned(),
            reason: "opened".to_owned(),
            outcome: "folded".to_owned(),
            held_by: None,
            message: Some(88),
            moved_to: None,
            message_kind: Some("digest".to_owned()),
            at: Some("2026-11-20T19:12:04Z".to_owned()),
            done_at: None,
            attempts: 1,
            error: None,
            subject: Some("job:prod/orders\u{1b}[31m".to_owned()),
            rule: Some("JobFailed".to_owned()),
            severity: Some("critical".to_owned()),
            path: vec![
                station(Some("2026-11-20T19:12:04Z"), "opened incident #12"),
                station(None, "grouped for 30 s"),
                station(Some("2026-11-20T19:12:34.5Z"), "in digest 88"),
            ],
        }
    }

    #[test]
    fn a_way_is_one_block_in_the_readers_zone() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(
            all(&[item()], Words::En, &zone),
            "#12 JobFailed (critical) · job:prod/orders [31m · 2026-11-21 +08:00\n  \
             for ro/feishu_bot: folded\n  \
             opened incident #12 03:12:04\n  → grouped for 30 s\n  → in digest 88 03:12:34"
        );
        let older = Item { incident: 11, rule: None, path: Vec::new(), ..item() };
        let both = all(&[item(), older], Words::Zh, &zone);
        assert!(both.starts_with("#11 · job:prod/orders") && both.contains("发给 ro"), "{both}");
    }

    #[test]
    fn nothing_has_its_reasons() {
        let reasons = vec!["no rule matched".to_owned(), "a\nb".to_owned()];
        let found = Why { at: String::new(), job: Some("prod/a".to_owned()), reasons };
        assert_eq!(why(&found, Words::En), "why · prod/a\n  - no rule matched\n  - a b");
        assert_eq!(all(&[], Words::Zh, &TimeZone::UTC), "没有通知");
        assert!(before(&item(), Words::En, &TimeZone::UTC).contains("2026-11-20 +00:00"));
    }
}
