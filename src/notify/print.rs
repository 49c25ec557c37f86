//! A print of what a message shows of its incidents. Where it differs from that of the incidents as
//! they are, the message is out of date. Times that pass are no part of it, or it never rested.

use sha2::{Digest, Sha256};

use crate::model::Incident;

/// The print of these incidents, in this order; never 0.
pub(super) fn of<'a>(incidents: impl IntoIterator<Item = &'a Incident>) -> u64 {
    let mut digest = Sha256::new();
    for incident in incidents {
        digest.update(text(incident).as_bytes());
    }
    let bytes = digest.finalize();
    let (first, _) = bytes.split_at(8);
    first.iter().fold(0_u64, |print, byte| (print << 8) | u64::from(*byte)).max(1)
}

fn text(i: &Incident) -> String {
    let members: Vec<_> =
        i.members.iter().map(|m| (&m.rule, m.firing, m.firing.then_some(&m.annotations))).collect();
    let checkpoint = i.checkpoint.as_ref().map(|c| (c.id, &c.path, c.savepoint));
    let about = (i.id, i.state, i.end_reason, i.severity, &i.rule, i.given_up, i.flapping);
    let facts = (i.occurrences, &i.root_cause, checkpoint, &i.restored_from, &i.subject_state);
    let had_by = i.acknowledged.as_ref().map(|a| format!("{}@{}", a.by, a.at.0));
    // Numbers, strings and lists: this cannot fail.
    let text = serde_json::to_string(&(about, facts, members, &i.ui_url)).unwrap_or_default();
    text + had_by.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::model::{Acknowledgement, IncidentState, Ts};
    use crate::notify::render::probe;

    #[test]
    fn what_a_reader_sees_changes_it_and_nothing_else() {
        let incident = probe::failing(1, "a").incident;
        let print = of([&incident]);
        assert_ne!(print, 0);
        let mut same = incident.clone();
        same.quiet_since = Some(Ts(1));
        same.inhibited_by = Some(9);
        if let Some(checkpoint) = &mut same.checkpoint {
            checkpoint.completed_at = Ts(1);
        }
        assert_eq!(of([&same]), print);
        let changes: [fn(&mut crate::model::Incident); 7] = [
            |i| i.occurrences += 1,
            |i| i.state = IncidentState::Acknowledged,
            |i| {
                let (by, comment) = ("ann".to_owned(), String::new());
                i.acknowledged = Some(Acknowledgement { by, at: Ts(1), comment });
            },
            |i| i.given_up = true,
            |i| i.checkpoint = None,
            |i| i.members[0].firing = false,
            |i| i.subject_state = "FAILED".to_owned(),
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut other = incident.clone();
            change(&mut other);
            assert_ne!(of([&other]), print, "change {n}");
        }
        let second = probe::failing(2, "a").incident;
        assert_ne!(of([&incident, &second]), of([&second, &incident]));
    }
}
