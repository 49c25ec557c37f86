//! What held each notice on its way: written down where a step's rows are whole, whoever held it.

use std::collections::BTreeMap;

use super::pipeline::Pipeline;
use crate::model::{Change, Notice, Outcome, Step, Time};

/// Steps one notice keeps: the first and the last ones tell what was wrong.
const MOST: usize = 8;

impl Pipeline {
    /// Notes in the rows of a turn what holds their notices now, where that is new. Nothing else
    /// has to remember to: a row that is written is looked at.
    pub fn note_steps(&mut self, time: Time, changes: &mut [Change]) {
        let mut noted: BTreeMap<u64, Vec<Step>> = BTreeMap::new();
        for change in changes {
            let Change::Notice(notice) = change else { continue };
            if let Some(steps) = noted.get(&notice.id) {
                notice.steps.clone_from(steps);
            }
            note(time, notice);
            noted.insert(notice.id, notice.steps.clone());
        }
        for (id, steps) in noted {
            if let Some(notice) = self.notices.get_mut(&id) {
                notice.steps = steps;
            }
        }
    }
}

/// Why a notice ended is its outcome, and that it went into a message is the message's time.
fn note(time: Time, notice: &mut Notice) {
    let before = notice.steps.last().and_then(|step| step.by.as_deref());
    if notice.outcome != Outcome::Pending
        || notice.message.is_some()
        || notice.held_by.as_deref() == before
    {
        return;
    }
    if notice.steps.len() >= MOST {
        notice.steps.remove(MOST / 2);
    }
    notice.steps.push(Step { at: time.wall, by: notice.held_by.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ts;
    use crate::store::contract::samples;

    fn held(by: Option<&str>) -> Notice {
        Notice {
            held_by: by.map(str::to_owned),
            steps: Vec::new(),
            ..samples::notice(1, 1, Outcome::Pending, Ts(0))
        }
    }

    #[test]
    fn only_what_is_new_is_noted_and_the_middle_goes_first() {
        let mut notice = held(None);
        note(Time::at(1), &mut notice);
        assert_eq!(notice.steps, []);
        for (at, by) in [(2, Some("a")), (3, Some("a")), (4, None), (5, Some("b"))] {
            notice.held_by = by.map(str::to_owned);
            note(Time::at(at), &mut notice);
        }
        let known: Vec<(i64, Option<&str>)> =
            notice.steps.iter().map(|s| (s.at.0, s.by.as_deref())).collect();
        assert_eq!(known, [(2, Some("a")), (4, None), (5, Some("b"))]);
        for at in 6..100 {
            notice.held_by = Some(format!("{at}"));
            note(Time::at(at), &mut notice);
        }
        let times: Vec<i64> = notice.steps.iter().map(|s| s.at.0).collect();
        assert_eq!(times, [2, 4, 5, 6, 96, 97, 98, 99]);
    }

    #[test]
    fn neither_a_message_nor_an_end_is_a_step() {
        let mut notice = held(Some("inhibited by #3"));
        notice.outcome = Outcome::Muted;
        note(Time::at(1), &mut notice);
        let mut composed = held(None);
        composed.steps = vec![Step { at: Ts(1), by: Some("storm".to_owned()) }];
        composed.message = Some(9);
        note(Time::at(2), &mut composed);
        assert_eq!((notice.steps.len(), composed.steps.len()), (0, 1));
    }

    #[test]
    fn a_row_of_before_has_no_steps_and_none_costs_nothing() {
        let text = serde_json::to_string(&held(None)).unwrap();
        assert!(!text.contains("steps"), "{text}");
        let read: Notice = serde_json::from_str(&text).unwrap();
        assert_eq!(read, held(None));
    }
}
