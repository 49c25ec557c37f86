//! What judgements say of a schedule.

use crate::model::{Schedule, Standing, Ts};

/// `outside of its hours (Mon-Fri 08:00-24:00 Asia/Shanghai) until 2026-11-23 08:00`.
pub(super) fn words(schedule: &Schedule, at: Ts) -> String {
    let stands = match schedule.standing(at) {
        Standing::Inside => "within",
        Standing::Outside => "outside of",
        Standing::Either => "at a jump of the clock at an end of",
    };
    let until = schedule.next_change(at).map(|at| format!(" until {}", schedule.on_clock(at)));
    format!("{stands} its hours ({}){}", schedule.words(), until.unwrap_or_default())
}
