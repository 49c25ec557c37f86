use super::*;
use crate::model::Ts;

/// One of each. Whoever adds another has to name it in the match, and should in the list.
fn holds() -> Vec<Hold> {
    let all = vec![
        Hold::Inhibited(7),
        Hold::Silenced("#1 until 16:39".to_owned()),
        Hold::Silenced("maintenance #2 until 2026-11-22 09:00".to_owned()),
        Hold::MutedByTime("X".to_owned()),
        Hold::MutedByTime("outside of X, Y".to_owned()),
        Hold::Until(Ts(1_795_338_000_000)),
        Hold::Storm,
        Hold::Budget("budget 80/60s".to_owned()),
        Hold::Budget("budget".to_owned()),
        Hold::OnItsWay,
        Hold::Edits("edits, budget 5/60s".to_owned()),
        Hold::Edits("edits, budget".to_owned()),
    ];
    for hold in &all {
        match hold {
            Hold::Inhibited(_)
            | Hold::Silenced(_)
            | Hold::MutedByTime(_)
            | Hold::Until(_)
            | Hold::Storm
            | Hold::Budget(_)
            | Hold::OnItsWay
            | Hold::Edits(_) => {}
        }
    }
    all
}

/// As [`holds`].
fn ends() -> Vec<Closed> {
    let all = vec![
        Closed::NoChannel,
        Closed::LongOver,
        Closed::Back,
        Closed::Over,
        Closed::Unheard,
        Closed::Acknowledged,
        Closed::NobodyElse,
        Closed::Outdated,
        Closed::Fallback("R/B".to_owned()),
        Closed::ToldAnyway("R/B".to_owned()),
    ];
    for end in &all {
        match end {
            Closed::NoChannel
            | Closed::LongOver
            | Closed::Back
            | Closed::Over
            | Closed::Unheard
            | Closed::Acknowledged
            | Closed::NobodyElse
            | Closed::Outdated
            | Closed::Fallback(_)
            | Closed::ToldAnyway(_) => {}
        }
    }
    all
}

fn said(by: &str) -> (String, String) {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    (held_words(Language::En, by, &zone), held_words(Language::Zh, by, &zone))
}

#[test]
fn each_is_read_back_and_said_in_one_language_at_a_time() {
    let holds = holds().into_iter().map(|hold| {
        assert_eq!(Hold::parse(&hold.to_string()), Some(hold.clone()));
        hold.to_string()
    });
    let ends = ends().into_iter().map(|end| {
        assert_eq!(Closed::parse(&end.to_string()), Some(end.clone()));
        end.to_string()
    });
    for by in holds.chain(ends) {
        let (en, zh) = said(&by);
        assert!(en.is_ascii(), "{by}: {en}");
        // Names are capitals here; the only small letter is the second of a limit.
        let word = zh.split(|c: char| !c.is_ascii_lowercase()).find(|word| word.len() > 1);
        assert_eq!(word, None, "{by}: {zh}");
        assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{by}: {zh}");
    }
}

#[test]
fn hours_are_in_the_readers_zone_and_silences_say_which() {
    for (by, en, zh) in [
        (
            "held until 2026-11-22T09:00:00Z",
            "kept until 11-22 17:00 +08:00",
            "攒到 11-22 17:00 +08:00 再发",
        ),
        ("silenced by #1 until 16:39", "silenced by #1 until 16:39", "静默 #1 生效中，至 16:39"),
        (
            "silenced by maintenance #2 until 09:00",
            "silenced by maintenance #2 until 09:00",
            "维护 #2 生效中，至 09:00",
        ),
        ("muted by time: all", "muted by time: all", "按时段静音：all"),
        ("edits, budget 5/60s", "limit of edits reached 5/60s", "已达编辑次数上限 5/60s"),
        ("budget", "budget", "已达发送上限"),
        ("sent by fallback a/b", "sent by fallback a/b", "已由备用渠道 a/b 发送"),
        ("something new", "something new", "something new"),
    ] {
        assert_eq!(said(by), (en.to_owned(), zh.to_owned()), "{by}");
    }
}

#[test]
fn many_at_once_are_said_without_their_numbers() {
    for (by, en, zh) in [
        ("inhibited by", "inhibited by another incident", "被另一条告警抑制"),
        ("silenced by", "silenced", "已静默"),
        ("silenced by maintenance", "silenced by maintenance", "维护期间静默"),
        ("storm", "an alert storm was told just now", "刚发送过告警风暴消息"),
    ] {
        assert_eq!(held_kind(Language::En, by, &TimeZone::UTC), en);
        assert_eq!(held_kind(Language::Zh, by, &TimeZone::UTC), zh);
    }
}
