//! Messages by name, to look at templates with.

use super::probe;
use crate::model::{Acknowledgement, IncidentState, MessageKind, NoticeReason};
use crate::notify::{ItemView, Known, Language, MessageView};

/// Names of the samples; the first is what people see most.
pub const SAMPLES: [&str; 17] = [
    "opened",
    "worse",
    "resolved",
    "reopened",
    "flapping",
    "repeat",
    "escalated",
    "reply",
    "edit",
    "group",
    "digest",
    "storm",
    "external",
    "first_look",
    "summary",
    "quiet",
    "test",
];

/// A sample message; none has another name.
pub fn sample(name: &str, language: Language) -> Option<MessageView> {
    let job = "ro-cn-sync";
    let one = |item: ItemView| probe::view(MessageKind::Incident, language, vec![item]);
    let because = |reason| ItemView { reason, ..probe::failing(128, job) };
    let three = || {
        let other = probe::failing(129, "ads-sea-join");
        vec![probe::failing(128, job), other, probe::recovered(127, "dim-users")]
    };
    let many = || (0..60).map(|n| probe::failing(200 + n, &format!("job-{n:02}"))).collect();
    Some(match name {
        "opened" => one(probe::failing(128, job)),
        "worse" => {
            let mut item = because(NoticeReason::Worse);
            item.incident.given_up = true;
            one(item)
        }
        "resolved" => one(probe::recovered(128, job)),
        "reopened" => {
            let mut item = because(NoticeReason::Reopened);
            (item.sequence, item.incident.reopened) = (3, 1);
            one(item)
        }
        "flapping" => {
            let mut item = because(NoticeReason::Flapping);
            (item.sequence, item.incident.reopened) = (7, 3);
            item.incident.flapping = true;
            one(item)
        }
        "repeat" => one(because(NoticeReason::Repeat)),
        // What stands below the card of an incident that got worse.
        "reply" => {
            let mut item = because(NoticeReason::Worse);
            (item.sequence, item.known) = (2, Known::Alone);
            MessageView { is_reply: true, ..one(item) }
        }
        // What a card becomes once somebody has it, and failures go on.
        "edit" => {
            let mut item = ItemView { known: Known::Alone, ..probe::failing(128, job) };
            item.incident.state = IncidentState::Acknowledged;
            item.incident.occurrences = 7;
            item.incident.acknowledged = Some(Acknowledgement {
                by: "ann".to_owned(),
                at: probe::NOW,
                comment: String::new(),
            });
            one(item)
        }
        "escalated" => {
            let waited = Some(std::time::Duration::from_mins(15));
            one(ItemView { unacknowledged: waited, ..because(NoticeReason::Escalated) })
        }
        "group" => probe::view(MessageKind::Group, language, three()),
        "digest" => probe::view(MessageKind::Digest, language, three()),
        "storm" => probe::view(MessageKind::Storm, language, many()),
        "external" => one(probe::external(128)),
        "first_look" => probe::view(MessageKind::FirstLook, language, three()),
        "summary" => probe::week(language),
        "quiet" => probe::quiet_week(language),
        "test" => probe::view(MessageKind::Test, language, Vec::new()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_sample() {
        for name in SAMPLES {
            assert!(sample(name, Language::Zh).is_some(), "{name}");
        }
        assert!(sample("nothing", Language::En).is_none());
    }
}
