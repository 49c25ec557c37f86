//! From a row to an order: what holds it, the stop of a sick run, the choice of a checkpoint, and an
//! order of which nobody knows whether it arrived.

use std::sync::Arc;
use std::time::Duration;

use super::holds::{Hold, Weight};
use super::restarts::{CHECKED_FOR, GIVE_AGAIN, MOST_PATHS, Restarts, Stepped};
use super::settings::{Mode, Policy};
use super::verify;
use super::words::{named, no_checkpoint, planned};
use super::world::World;
use crate::model::{AskedBy, Both, Doing, Restart, RestartState, RestoreFrom, Task, Time, Ts};

impl Restarts {
    pub(super) fn go_on(&mut self, time: Time, world: &World<'_>, id: u64, out: &mut Stepped) {
        let Some(mut row) = self.rows.get(&id).cloned() else { return };
        let loose = self.loose.entry(id).or_default();
        if loose.out || loose.again.is_some_and(|at| at > time.steady) {
            return;
        }
        loose.again = None;
        let policy = self.policy_of(world, &row);
        if let Some(policy) = policy.as_ref().filter(|policy| policy.name != row.policy) {
            row.policy.clone_from(&policy.name);
            self.keep(row.clone(), out);
        }
        match (row.state, policy) {
            (RestartState::Planned | RestartState::Approval, None) => {
                let why = format!("`{}` left the configuration", row.policy);
                self.drop_row(time, world, row, &Both::new(why.clone(), why), out);
            }
            (RestartState::Planned | RestartState::Approval, Some(policy)) => {
                self.wait(time, world, row, &policy, out);
            }
            (RestartState::Stopping, Some(policy)) => {
                self.stopping(time, world, row, &policy, out);
            }
            (RestartState::Submitted, Some(policy)) => {
                self.submitted(time, world, row, &policy, out);
            }
            (RestartState::Running, Some(policy)) => {
                self.watch(time, world, row, &policy, out);
            }
            (RestartState::Stopping | RestartState::Submitted | RestartState::Running, None) => {
                let note = "its entry left the configuration while it was on its way".to_owned();
                self.end(time, world, row, RestartState::Unknown, Some(note), out);
            }
            _ => {}
        }
    }

    /// It is planned: whatever held it may have changed.
    pub(super) fn wait(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Arc<Policy>,
        out: &mut Stepped,
    ) {
        let incident = row.incident.and_then(|id| world.incidents.get(id));
        let by_alert = matches!(row.asked_by, AskedBy::Alert(_));
        if by_alert && incident.is_none_or(|incident| !incident.is_open()) {
            let why = Both::new("its incident is over", "故障已结束");
            return self.drop_row(time, world, row, &why, out);
        }
        let key = row.job.clone();
        let sick = incident.is_some_and(|of| world.is_sick(&key, policy, of));
        if by_alert && row.replaces && world.is_live(&key) && !sick {
            let why = Both::new("it is well again", "作业已恢复正常");
            return self.drop_row(time, world, row, &why, out);
        }
        let holds = self.holds(time, world, &key, policy, incident, row.by_person(), Some(&row));
        // Of a person's word, too: what they knew then is old.
        if row.by_person() && !holds.is_empty() && time.steady.since(row.due) > GIVE_AGAIN {
            let why = Both::new(
                "it could not be sent for 10 minutes; ask again if it is still wanted",
                "10 分钟内未能发出；如仍需要请再次执行",
            );
            return self.drop_row(time, world, row, &why, out);
        }
        match holds.first() {
            Some(hold) if hold.weight() == Weight::Over => {
                return self.drop_row(time, world, row, &hold.words(), out);
            }
            Some(hold) if hold.weight() == Weight::Stop => {
                self.give_up(incident, &row.job, hold, out);
                return self.drop_quietly(time, row, &hold.words().en, out);
            }
            _ => {}
        }
        // Another incident says what to do about it.
        if let Some(hold) = holds.iter().find(|hold| matches!(hold, Hold::Inhibited(_))) {
            return self.drop_row(time, world, row, &hold.words(), out);
        }
        // Another configuration may be in force by now.
        if !row.by_person() && (policy.mode == Mode::DryRun || (row.replaces && !policy.replace)) {
            let why = Both::new(
                format!("`{}` does not restart it any more", policy.name),
                format!("`{}` 不再重启该作业", policy.name),
            );
            return self.drop_row(time, world, row, &why, out);
        }
        // Somebody has it: whether to restart is theirs to say.
        let taken = incident.is_some_and(|incident| incident.acknowledged.is_some());
        let asks = (taken || policy.mode == Mode::Approve) && !row.by_person();
        if row.state == RestartState::Approval && !asks {
            row.state = RestartState::Planned;
            row.due = row.due.max(time.steady);
            Restarts::event(&row, "needs no approval any more", out);
            let from = self.preview(world, &key);
            self.tell(&row, world, planned(&row, time, from), out);
            self.keep(row.clone(), out);
        }
        if row.state == RestartState::Planned && asks {
            row.state = RestartState::Approval;
            let from = self.preview(world, &key);
            Restarts::event(&row, "waits for approval", out);
            self.wants_approval(&row, world, from, out);
            self.keep(row, out);
            return;
        }
        if row.state == RestartState::Approval || row.due > time.steady {
            return;
        }
        if let Some(hold) = holds.first() {
            self.tell(&row, world, Doing::Held(hold.words()), out);
            return;
        }
        if row.replaces && world.is_live(&key) && !policy.traits.in_place {
            row.state = RestartState::Stopping;
            row.stopping = Some(time.steady);
            let run = row.dead.as_ref().map(|dead| dead.job_id.clone());
            out.stops.extend(run.map(|run| (key.clone(), run)));
            Restarts::event(&row, "stopping the sick run", out);
            self.tell(&row, world, Doing::Stopping, out);
            self.order(time, world, &row, Task::Stop, out);
            if let Some(loose) = self.loose.get_mut(&row.id) {
                loose.asked_to_stop = true;
            }
            self.keep(row, out);
            return;
        }
        self.choose(time, world, row, policy, out);
    }

    /// It may be sent: from which checkpoint?
    pub(super) fn choose(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        let mut choices: Vec<RestoreFrom> = match (&row.wanted, &row.from) {
            (Some(path), _) => {
                let ledger = world.tracker.ledger(&row.job);
                let known = ledger.and_then(|ledger| ledger.named(path)).map(named);
                vec![known.unwrap_or_else(|| RestoreFrom {
                    path: path.clone(),
                    id: None,
                    savepoint: false,
                    completed_at: None,
                })]
            }
            (None, Some(stopped_with)) => vec![stopped_with.clone()],
            (None, None) => Vec::new(),
        };
        if row.wanted.is_none() {
            let known = self.candidates(world, &row.job).into_iter().map(named);
            let first = choices.first().map(|from| from.path.clone());
            choices.extend(known.filter(|from| Some(&from.path) != first.as_ref()));
        }
        choices.truncate(MOST_PATHS);
        let loose = self.loose.entry(row.id).or_default();
        let fresh = |(at, _): &&(Ts, _)| time.steady.since(*at) <= CHECKED_FOR;
        let checked = loose.checked.as_ref().filter(fresh).map(|(_, found)| found);
        let all_known =
            checked.is_some_and(|found| choices.iter().all(|from| found.contains_key(&from.path)));
        if !choices.is_empty() && !all_known {
            let paths = choices.into_iter().map(|from| from.path).collect();
            self.order(time, world, &row, Task::Check(paths), out);
            return;
        }
        let there = |from: &RestoreFrom| {
            checked.and_then(|found| found.get(&from.path).copied()).flatten() != Some(false)
        };
        let (known, chosen) = (choices.len(), choices.into_iter().find(there));
        if chosen.is_none() {
            let why = no_checkpoint(&row, known, world);
            if row.wanted.is_some() || !policy.start_empty {
                let hold = Hold::NoCheckpoint(why);
                let incident = row.incident.and_then(|id| world.incidents.get(id));
                self.give_up(incident, &row.job, &hold, out);
                return self.drop_quietly(time, row, &hold.words().en, out);
            }
            row.from_nothing = true;
        }
        row.from = chosen;
        row.state = RestartState::Submitted;
        row.submitted = Some(time.steady);
        row.submitted_at = Some(time.wall);
        row.dead = world.current(&row.job).or(row.dead);
        // What is known of it by now: the breaker compares causes of what was sent.
        let newest = world.tracker.job(&row.job).and_then(|job| job.last_cause.as_ref());
        row.cause = newest.map(|(_, cause)| cause.clone()).or(row.cause);
        let from = row.from.as_ref().map(|from| from.name().to_owned());
        let what = match &row.from {
            Some(from) => format!("sent, from {}", from.path),
            None => "sent, from nothing".to_owned(),
        };
        Restarts::event(&row, &what, out);
        let (attempt, of) = (row.attempt, row.of);
        self.tell(&row, world, Doing::Starting { from, attempt, of }, out);
        self.order(time, world, &row, Task::Start, out);
        if let Some(loose) = self.loose.get_mut(&row.id) {
            loose.sent = true;
        }
        self.keep(row, out);
    }

    /// The sick run is being stopped.
    pub(super) fn stopping(
        &mut self,
        time: Time,
        world: &World<'_>,
        row: Restart,
        policy: &Arc<Policy>,
        out: &mut Stepped,
    ) {
        let asked = self.was_stopped(row.id);
        let ours = row.dead.as_ref().map(|dead| dead.job_id.clone());
        let current = world.current(&row.job).map(|run| run.job_id);
        if current != ours {
            let why = Both::new("somebody else started it meanwhile", "期间有人启动了该作业");
            return self.drop_row(time, world, row, &why, out);
        }
        if !world.is_live(&row.job) && world.is_fresh(&row.job, time, self.settings.fresh_for) {
            if let Some(loose) = self.loose.get_mut(&row.id) {
                loose.asked_to_stop = true;
            }
            let key = row.job.clone();
            let incident = row.incident.and_then(|id| world.incidents.get(id));
            let holds =
                self.holds(time, world, &key, policy, incident, row.by_person(), Some(&row));
            // It is Weir that ended it: only what proves that it is dead may hold it now.
            let waits = holds.iter().find(|hold| {
                matches!(hold, Hold::Unseen | Hold::Twice(_) | Hold::Missing(_) | Hold::Settling)
            });
            if let Some(hold) = waits {
                self.tell(&row, world, Doing::Held(hold.words()), out);
                self.again(row.id, time);
                return;
            }
            return self.choose(time, world, row, policy, out);
        }
        if !asked {
            // Begun by a former process: asking again does not begin anew.
            self.order(time, world, &row, Task::Stop, out);
            if let Some(loose) = self.loose.get_mut(&row.id) {
                loose.asked_to_stop = true;
            }
            return;
        }
        if row.is_overdue(time.steady) {
            // It may end yet, and must not stay so: only what says that it goes on ends this.
            let incident = row.incident.and_then(|id| world.incidents.get(id));
            self.give_up(incident, &row.job, &Hold::StillEnding, out);
        }
        self.again(row.id, time);
    }

    /// The order may have been given: it is looked for before anything else.
    pub(super) fn submitted(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        policy: &Policy,
        out: &mut Stepped,
    ) {
        // Its run is seen: no need to ask.
        let seen = world.run_of(&row);
        // A driver without a handle: what began after the order is taken for what it started.
        let began = || verify::started(&row, world.tracker).filter(|_| !policy.traits.handle);
        if let Some(id) = seen.or_else(began) {
            return self.taken(time, world, row, Some(id), out);
        }
        let since = row.submitted.map_or(Duration::ZERO, |at| time.steady.since(at));
        let looked = std::mem::replace(&mut self.loose.entry(row.id).or_default().looked, true);
        if since <= GIVE_AGAIN || !looked {
            if !row.unclear {
                row.unclear = true;
                self.keep(row.clone(), out);
            }
            return self.order(time, world, &row, Task::LookUp, out);
        }
        // Somebody else's run lives, and ours is nowhere: nothing is owed.
        if policy.traits.handle
            && world.is_live(&row.job)
            && world.is_fresh(&row.job, time, self.settings.fresh_for)
        {
            let why = Both::new("somebody else started it", "已有人启动了该作业");
            return self.drop_row(time, world, row, &why, out);
        }
        let note = row.note.clone().unwrap_or_else(|| "no answer".to_owned());
        let note = format!("nobody can tell whether it was taken: {note}");
        self.end(time, world, row, RestartState::Unknown, Some(note), out);
    }

    /// The platform took it.
    pub(super) fn taken(
        &mut self,
        time: Time,
        world: &World<'_>,
        mut row: Restart,
        job_id: Option<String>,
        out: &mut Stepped,
    ) {
        row.state = RestartState::Running;
        row.taken = Some(time.steady);
        row.started = job_id;
        row.note = None;
        row.unclear = false;
        if let Some(run) = &row.started {
            let from = row.from.as_ref().map(|from| from.path.clone());
            out.began.push((row.job.clone(), run.clone(), from));
        }
        let what = match &row.started {
            Some(id) => format!("taken, its run is {id}"),
            None => "taken".to_owned(),
        };
        Restarts::event(&row, &what, out);
        let from = row.from.as_ref().map(|from| from.name().to_owned());
        let (attempt, of) = (row.attempt, row.of);
        self.tell(&row, world, Doing::Watching { from, attempt, of }, out);
        self.keep(row, out);
    }
}
