//! What every step of a restart does with its row: keep it, end it, give its driver something to do.

use super::holds::Hold;
use super::restarts::{GIVE_AGAIN, Restarts, Stepped};
use super::words::bounded;
use super::world::World;
use crate::model::{
    Both, Change, Doing, Errand, OfInventory, Order, Restart, RestartState, Task, Time, Ts,
};
use crate::tracker::Ledger;

impl Restart {
    /// Its sick run was told to stop long ago.
    pub(super) fn is_overdue(&self, now: Ts) -> bool {
        now.since(self.stopping.unwrap_or(self.due)) > GIVE_AGAIN
    }
}

impl Restarts {
    /// Gives a driver something to do; nothing else happens to this restart until it tells.
    pub(super) fn order(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: &Restart,
        task: Task,
        out: &mut Stepped,
    ) {
        let Some(job) = world.tracker.job(&row.job) else { return };
        let version = world.tracker.source(&job.source).and_then(|source| source.version.clone());
        let inventory = job.inventory.as_deref().map(|known| OfInventory {
            source: known.source.clone(),
            id: known.entry.id.clone(),
            team_id: known.entry.team_id.clone(),
        });
        let order = Order {
            restart: row.id,
            handle: row.handle.clone(),
            job: row.job.clone(),
            job_name: job.name.clone(),
            flink_job_name: job.flink_job_name.clone(),
            cluster: job.cluster.clone(),
            namespace: job.namespace.clone(),
            flink_cluster: job.flink_cluster.clone(),
            labels: world.labels(job),
            dead: row.dead.as_ref().map(|dead| dead.job_id.clone()),
            from: row.from.as_ref().map(|from| from.path.clone()),
            version,
            inventory,
            may_cancel: world.tracker.ledger(&row.job).is_some_and(Ledger::survives_cancel),
        };
        let loose = self.loose.entry(row.id).or_default();
        loose.out = true;
        out.errands.push(Errand { policy: row.policy.clone(), order, task, since: time.steady });
    }

    pub(super) fn drop_row(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: Restart,
        why: &Both,
        out: &mut Stepped,
    ) {
        Restarts::event(&row, &format!("not sent: {}", why.en), out);
        self.tell(&row, world, Doing::Held(why.clone()), out);
        self.drop_quietly(time, row, &why.en, out);
    }

    pub(super) fn drop_quietly(
        &mut self,
        time: Time,
        mut row: Restart,
        why: &str,
        out: &mut Stepped,
    ) {
        row.state = RestartState::Dropped;
        row.note = Some(bounded(why.to_owned()));
        (row.done, row.done_at) = (Some(time.steady), Some(time.wall));
        self.loose.remove(&row.id);
        self.keep(row, out);
    }

    pub(super) fn end(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        state: RestartState,
        note: Option<String>,
        out: &mut Stepped,
    ) {
        row.state = state;
        row.note = note.map(bounded);
        (row.done, row.done_at) = (Some(time.steady), Some(time.wall));
        let why = row.note.clone().unwrap_or_default();
        let from = row.from.as_ref().map(|from| from.name().to_owned());
        let (attempt, of) = (row.attempt, row.of);
        let (what, doing) = match state {
            RestartState::Verified => (
                "verified: it runs, and has completed a checkpoint".to_owned(),
                Doing::Restarted { from, attempt },
            ),
            RestartState::Unknown => {
                let hold = Hold::Unknown(row.id);
                let incident = row.incident.and_then(|id| world.incidents.get(id));
                self.give_up(incident, &row.job, &hold, out);
                (format!("unknown: {why}"), Doing::GaveUp(hold.words()))
            }
            _ => (format!("failed: {why}"), Doing::Failed { attempt, of, why }),
        };
        Restarts::event(&row, &what, out);
        if state != RestartState::Unknown {
            self.tell(&row, world, doing, out);
        }
        self.loose.remove(&row.id);
        self.keep(row, out);
    }

    pub(super) fn keep(&mut self, row: Restart, out: &mut Stepped) {
        out.changes.push(Change::Restart(Box::new(row.clone())));
        self.insert(row);
    }

    pub(super) fn event(row: &Restart, what: &str, out: &mut Stepped) {
        if let Some(incident) = row.incident {
            out.events.push((incident, format!("restart {}: {what}", row.id)));
        }
    }
}
