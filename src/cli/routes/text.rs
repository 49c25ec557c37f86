//! The way of an alert for people.

use std::fmt::Write;

use crate::notify::render::escape::line;
use crate::web::routes::{Channel, OfSeverity, Routed, Way};

/// Severities that go the same ways are told once.
pub(super) fn of(answer: &Routed) -> String {
    let mut text = String::new();
    let subject = answer.job.as_deref().unwrap_or("an alert");
    writeln!(text, "{}  {}", line(subject), line(&answer.labels.display())).ok();
    let mut told: Vec<(Vec<&str>, &OfSeverity)> = Vec::new();
    for of in &answer.severities {
        match told.iter_mut().find(|(_, known)| known.ways == of.ways) {
            Some((names, _)) => names.push(&of.severity),
            None => told.push((vec![&of.severity], of)),
        }
    }
    for (names, of) in told {
        writeln!(text, "\n{}:", names.join(", ")).ok();
        for way in &of.ways {
            one(&mut text, way);
        }
        if !of.heard {
            writeln!(text, "  nobody hears of it").ok();
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn one(text: &mut String, way: &Way) {
    for step in &way.path {
        let what = match step.matchers.as_slice() {
            [] => "everything".to_owned(),
            some => some.join(", "),
        };
        let go_on = if step.continues { ", and on" } else { "" };
        writeln!(text, "  {:<8}{}{go_on}", step.id, line(&what)).ok();
    }
    let name = line(&way.receiver);
    if way.again {
        writeln!(text, "    → {name}: told once, by the way above").ok();
        return;
    }
    let channels = named(&way.channels);
    let by = match (channels.is_empty(), way.shadow) {
        (true, _) => "no channels: recorded, told to nobody".to_owned(),
        (false, true) => format!("{channels} in shadow: recorded, not sent"),
        (false, false) => channels,
    };
    writeln!(text, "    → {name}: {by}").ok();
    let span =
        |seconds: u64| crate::config::de::duration::format(std::time::Duration::from_secs(seconds));
    writeln!(
        text,
        "      together with {}; first after {}, then every {}; repeated after {}",
        line(&way.group.display()),
        span(way.group_wait_seconds),
        span(way.group_interval_seconds),
        span(way.repeat_interval_seconds),
    )
    .ok();
    if let Some(name) = &way.muted_by {
        let until = match &way.muted_until {
            Some(at) => format!("until {at}"),
            None => "for more than a year".to_owned(),
        };
        writeln!(text, "      muted now by time: {}, {until}", line(name)).ok();
    }
    if let Some(at) = &way.held_until {
        writeln!(text, "      kept for the digest at {at}").ok();
    }
    for step in &way.escalate {
        let (after, to) = (span(step.after_seconds), line(&step.receiver));
        let by = match named(&step.channels) {
            none if none.is_empty() => "no channels".to_owned(),
            some => some,
        };
        writeln!(text, "      not acknowledged for {after} → {to}: {by}").ok();
    }
}

fn named(channels: &[Channel]) -> String {
    let name = |c: &Channel| {
        if c.name == c.kind { line(&c.name) } else { line(&format!("{} ({})", c.name, c.kind)) }
    };
    channels.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;
    use crate::web::routes::{Channel, Onward, Step};

    #[test]
    fn a_way_is_told_line_by_line() {
        let step = |id: &str, matchers: &[&str], receiver: &str, continues| Step {
            id: id.to_owned(),
            matchers: matchers.iter().map(|m| (*m).to_owned()).collect(),
            receiver: receiver.to_owned(),
            continues,
        };
        let channel = |name: &str| Channel { name: name.to_owned(), kind: "feishu_bot".to_owned() };
        let ads = Way {
            path: vec![step("0", &[], "all", false), step("0.1", &["team=\"ads\""], "ads", true)],
            receiver: "ads".to_owned(),
            channels: vec![channel("feishu_bot"), channel("second")],
            shadow: false,
            again: false,
            group: Labels::from([("cluster", "prod")]),
            group_wait_seconds: 30,
            group_interval_seconds: 300,
            repeat_interval_seconds: 14_400,
            muted_by: Some("night".to_owned()),
            muted_until: Some("2026-11-21T06:00:00Z".to_owned()),
            held_until: Some("2026-11-21T09:00:00Z".to_owned()),
            escalate: vec![Onward {
                after_seconds: 900,
                receiver: "lead".to_owned(),
                channels: vec![channel("sms")],
            }],
        };
        let dark = Way {
            shadow: true,
            muted_by: None,
            held_until: None,
            escalate: Vec::new(),
            ..ads.clone()
        };
        let none = Way { channels: Vec::new(), ..dark.clone() };
        let again = Way { again: true, ..dark.clone() };
        let of =
            |severity: &str, heard, ways| OfSeverity { severity: severity.to_owned(), heard, ways };
        let answer = Routed {
            at: String::new(),
            job: Some("prod/orders".to_owned()),
            labels: Labels::from([("team", "ads")]),
            severities: vec![
                of("critical", true, vec![ads.clone(), again.clone()]),
                of("warning", true, vec![ads, again]),
                of("info", false, vec![dark, none]),
            ],
        };
        let expected = "\
prod/orders  {team=\"ads\"}

critical, warning:
  0       everything
  0.1     team=\"ads\", and on
    → ads: feishu_bot, second (feishu_bot)
      together with {cluster=\"prod\"}; first after 30s, then every 5m; repeated after 4h
      muted now by time: night, until 2026-11-21T06:00:00Z
      kept for the digest at 2026-11-21T09:00:00Z
      not acknowledged for 15m → lead: sms (feishu_bot)
  0       everything
  0.1     team=\"ads\", and on
    → ads: told once, by the way above

info:
  0       everything
  0.1     team=\"ads\", and on
    → ads: feishu_bot, second (feishu_bot) in shadow: recorded, not sent
      together with {cluster=\"prod\"}; first after 30s, then every 5m; repeated after 4h
  0       everything
  0.1     team=\"ads\", and on
    → ads: no channels: recorded, told to nobody
      together with {cluster=\"prod\"}; first after 30s, then every 5m; repeated after 4h
  nobody hears of it";
        assert_eq!(of_text(&answer), expected);
    }

    fn of_text(answer: &Routed) -> String {
        super::of(answer)
    }
}
