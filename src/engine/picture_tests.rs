use super::*;
use crate::engine::RestartCounts;
use crate::model::Ts;
use crate::store::contract::samples;

fn row(id: u64, state: RestartState) -> Change {
    Change::Restart(Box::new(samples::restart(id, "prod/orders", state, Ts(0))))
}

#[test]
fn a_restart_is_counted_once_when_it_ends() {
    use RestartState::{Approval, Dropped, Failed, Planned, Running, Submitted, Verified};
    let mut picture = Picture::default();
    // Of a former process: one that goes on, and one that had ended.
    let before = [
        samples::restart(1, "prod/orders", Submitted, Ts(0)),
        samples::restart(2, "prod/clicks", Failed, Ts(0)),
    ];
    picture.begin_restarts(before.iter());
    assert_eq!(picture.view.restarts.open, BTreeMap::from([(Submitted, 1)]));

    let turns = [
        vec![row(1, Running), row(3, Planned), row(4, Approval)],
        // It settles: written again, and not ended again.
        vec![row(2, Failed)],
        // Decided and given up in one turn.
        vec![row(5, Planned), row(5, Dropped)],
        vec![row(1, Verified), row(4, Dropped)],
        vec![row(1, Verified)],
    ];
    let mut waiting = Vec::new();
    for changes in &turns {
        picture.note_restarts(changes, false);
        waiting.push(picture.view.restarts.waiting.keys().copied().collect::<Vec<u64>>());
    }
    assert_eq!(waiting, [vec![4], vec![4], vec![4], vec![], vec![]]);
    picture.note_restarts(&[], true);
    let RestartCounts { open, ended, paused, .. } = picture.view.restarts.clone();
    assert_eq!(open, BTreeMap::from([(Planned, 1)]));
    assert_eq!(ended, BTreeMap::from([(Verified, 1), (Dropped, 2)]));
    assert!(paused);
}
