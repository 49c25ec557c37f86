//! A job's schedule as the API shows it.

use serde::{Deserialize, Serialize};

use super::time;
use crate::model::{Schedule, Standing, Ts};

/// When a job is meant to run, and how that stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its hours and their zone: `Mon-Fri 08:00-24:00 Asia/Shanghai`.
    pub hours: String,
    /// `inside`, `outside`, or `either` while the clock jumps at an end of the hours.
    pub now: String,
    /// Until when, RFC 3339; null: for ever.
    pub until: Option<String>,
}

impl Item {
    /// At the wall time `now`.
    pub(super) fn at(now: Ts, schedule: &Schedule) -> Item {
        let word = match schedule.standing(now) {
            Standing::Inside => "inside",
            Standing::Outside => "outside",
            Standing::Either => "either",
        };
        let until = schedule.next_change(now).and_then(time);
        Item { hours: schedule.words(), now: word.to_owned(), until }
    }
}
