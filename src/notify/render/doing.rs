//! What is being done about an incident, in a line.

use jiff::tz::TimeZone;

use super::escape::short;
use super::when;
use super::words::pick;
use crate::model::{Both, Doing, Tally, Ts};
use crate::notify::Language;

/// Longest reason, in characters.
const WHY: usize = 200;

/// `restart from chk-42 at 03:14, attempt 1 of 3`.
pub fn words(doing: &Doing, language: Language, now: Ts, zone: &TimeZone) -> String {
    let both = |both: &Both| short(pick(language, &both.en, &both.zh), WHY);
    let from = |from: &Option<String>| match from {
        Some(name) => pick(language, format!(" from {name}"), format!("从 {name} ")),
        None => String::new(),
    };
    let from_nothing = |name: &Option<String>| match name {
        Some(_) => from(name),
        None => pick(language, " from nothing", "从空状态").to_owned(),
    };
    match doing {
        Doing::Would { from: name, held: None } => pick(
            language,
            format!("dry run: would restart it{}", from(name)),
            format!("演练：将{}重启", from(name)),
        ),
        Doing::Would { held: Some(held), .. } => pick(
            language,
            format!("dry run: would not restart it: {}", both(held)),
            format!("演练：不会重启：{}", both(held)),
        ),
        Doing::Planned { at, from: name, attempt, of } => {
            let at = when::clock(*at, now, zone);
            pick(
                language,
                format!("restart{} at {at}, attempt {attempt} of {of}", from(name)),
                format!("{at} {}自动重启，第 {attempt}/{of} 次", from(name)),
            )
        }
        Doing::Approval { restart, from: name } => pick(
            language,
            format!("restart {restart}{} waits for approval", from(name)),
            format!("重启 {restart}（{}）等待批准", from(name).trim()),
        ),
        Doing::Held(why) => pick(
            language,
            format!("not restarted yet: {}", both(why)),
            format!("暂不重启：{}", both(why)),
        ),
        Doing::Stopping => {
            pick(language, "stopping it to replace it", "正在停止以便替换").to_owned()
        }
        Doing::Starting { from: name, attempt, of } => pick(
            language,
            format!("restarting{}, attempt {attempt} of {of}", from_nothing(name)),
            format!("正在{}重启，第 {attempt}/{of} 次", from_nothing(name)),
        ),
        Doing::Watching { from: name, attempt, of } => pick(
            language,
            format!("restarted{}, being watched, attempt {attempt} of {of}", from_nothing(name)),
            format!("已{}重启，正在确认，第 {attempt}/{of} 次", from_nothing(name)),
        ),
        Doing::Restarted { from: name, attempt } => pick(
            language,
            format!("restarted{} by Weir, attempt {attempt}", from_nothing(name)),
            format!("Weir 已{}重启，第 {attempt} 次尝试", from_nothing(name)),
        ),
        Doing::Failed { attempt, of, why } => {
            let why = short(why, WHY);
            pick(
                language,
                format!("restart {attempt} of {of} failed: {why}"),
                format!("第 {attempt}/{of} 次重启失败：{why}"),
            )
        }
        Doing::GaveUp(why) => pick(
            language,
            format!("Weir does not restart it: {}; a person has to act", both(why)),
            format!("Weir 不再重启：{}，需要人工介入", both(why)),
        ),
        Doing::Several(tally) => several(*tally, language),
    }
}

/// `12 jobs: 5 restarted, 2 being restarted, 5 waiting`.
fn several(tally: Tally, language: Language) -> String {
    let parts = [
        (tally.restarted, "restarted", "已重启"),
        (tally.on_way, "being restarted", "正在重启"),
        (tally.waiting, "waiting", "等待重启"),
        (
            tally.approval,
            "waiting for approval (weir restart --list)",
            "等待批准（weir restart --list）",
        ),
        (tally.gave_up, "given up, a person has to act", "不再重启，需要人工介入"),
        (tally.would, "would be restarted (dry run)", "演练：将重启"),
    ];
    let there = parts.into_iter().filter(|(count, ..)| *count > 0);
    let said: Vec<String> =
        there.map(|(count, en, zh)| format!("{count} {}", pick(language, en, zh))).collect();
    let all = tally.all();
    let jobs = if all == 1 { "1 job".to_owned() } else { format!("{all} jobs") };
    pick(
        language,
        format!("{jobs}: {}", said.join(", ")),
        format!("{all} 个作业：{}", said.join("，")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_said_in_both_languages() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let now = Ts(1_795_204_000_000);
        let why = || Both::new("it is paused", "已暂停");
        let from = || Some("chk-42".to_owned());
        let all = [
            Doing::Would { from: from(), held: None },
            Doing::Would { from: None, held: Some(why()) },
            Doing::Planned { at: now, from: from(), attempt: 1, of: 3 },
            Doing::Approval { restart: 7, from: from() },
            Doing::Held(why()),
            Doing::Stopping,
            Doing::Starting { from: None, attempt: 1, of: 3 },
            Doing::Watching { from: from(), attempt: 1, of: 3 },
            Doing::Restarted { from: from(), attempt: 2 },
            Doing::Failed { attempt: 1, of: 3, why: "no slots".to_owned() },
            Doing::GaveUp(why()),
            Doing::Several(Tally { waiting: 1, ..Tally::default() }),
            Doing::Several(Tally {
                would: 1,
                waiting: 2,
                approval: 3,
                on_way: 4,
                restarted: 5,
                gave_up: 6,
            }),
        ];
        let said: Vec<String> = all
            .iter()
            .flat_map(|doing| [Language::En, Language::Zh].map(|l| words(doing, l, now, &zone)))
            .collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
