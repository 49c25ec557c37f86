//! What an incident says about its subject: filled in from what is known at each turn.

use std::time::Duration;

use super::Health;
use crate::model::{Alert, Aspect, Incident, JobState, Subject, Time};
use crate::tracker::{JobTrack, MAX_FAILURES, Tracker};

/// Whether quiet may begin for this subject in this aspect.
pub(super) fn health(time: Time, subject: &Subject, aspect: &Aspect, tracker: &Tracker) -> Health {
    match subject {
        Subject::Job(key) => match tracker.job_facts(key, time) {
            None => Health::Gone,
            Some(facts) if !facts.is_fresh() => Health::NotYet,
            Some(facts) => job_health(facts.job, aspect, time),
        },
        Subject::Source(name) | Subject::Cluster(name, _) => match tracker.source(name) {
            None => Health::Gone,
            Some(source) if !source.is_up() => Health::NotYet,
            // Some of its jobs are still being restarted.
            Some(_) if tracker.is_in_work(subject) => Health::NotYet,
            // Its jobs did not come back: their hours are over.
            Some(_) if tracker.are_excused(subject, time) => Health::Ended,
            Some(_) => Health::Well,
        },
        Subject::Channel(_) | Subject::External(_) => Health::Well,
    }
}

fn job_health(job: &JobTrack, aspect: &Aspect, time: Time) -> Health {
    let missing = job.missing_since.is_some();
    // What its schedule has against it is over once it is something else that is the matter.
    let of_schedule = matches!(aspect.as_str(), Aspect::SCHEDULE | Aspect::HOURS);
    let lives = job.state().is_live() && !missing;
    if job.ended_on_purpose() || (missing && !job.is_missed(time)) || (of_schedule && !lives) {
        return Health::Ended;
    }
    if missing {
        return Health::NotYet;
    }
    let healthy = job.current().is_some_and(crate::tracker::Run::is_healthy);
    let live = job.state().is_live();
    match aspect.as_str() {
        Aspect::FAILURE if healthy => Health::Well,
        Aspect::FAILURE => Health::NotYet,
        // Symptoms of a dead job have not gone away.
        _ if live => Health::Well,
        _ => Health::NotYet,
    }
}

/// Counts the failures a new incident begins with: those the alerts that opened it speak of, and all
/// others of the same episode, unless an earlier incident has counted them.
pub(super) fn count(
    incident: &mut Incident,
    time: Time,
    alerts: &[&Alert],
    tracker: Option<&Tracker>,
    already_counted: u64,
    within: Duration,
) {
    incident.occurrences_base = 0;
    let Some(job) = job_of(incident, tracker) else { return };
    let total = job.failures_total;
    let spoken_of = alerts.iter().filter_map(|a| a.evidence.get("count")?.as_u64()).max();
    let recent = job.failure_times.iter().filter(|at| time.steady.since(**at) <= within).count();
    let counted = (recent as u64).max(spoken_of.unwrap_or(1));
    let mut base = total.saturating_sub(counted);
    if recent >= MAX_FAILURES {
        // More than are remembered one by one.
        base = base.min(job.bout_base);
    }
    incident.occurrences_base = base.max(already_counted).min(total);
    refresh(incident, tracker);
}

/// Everything a person wants to know, as of now.
pub(super) fn refresh(incident: &mut Incident, tracker: Option<&Tracker>) {
    let Some(job) = job_of(incident, tracker) else { return };
    let failure = incident.aspect.as_str() == Aspect::FAILURE;
    if failure {
        let counted = job.failures_total.saturating_sub(incident.occurrences_base);
        incident.occurrences = incident.occurrences.max(counted).max(1);
        incident.given_up = job.state() == JobState::Failed;
    }
    if let Some((_, cause)) = &job.last_cause
        && failure
        && incident.root_cause.as_ref() != Some(cause)
    {
        incident.root_cause = Some(cause.clone());
    }
    if job.checkpoint.is_some() && incident.checkpoint != job.checkpoint {
        incident.checkpoint.clone_from(&job.checkpoint);
    }
    let state = if job.missing_since.is_some() { "MISSING" } else { job.state().as_str() };
    if incident.subject_state != state {
        state.clone_into(&mut incident.subject_state);
    }
    if let Some(run) = job.current() {
        if incident.run.as_ref() != Some(&run.id) {
            incident.run = Some(run.id.clone());
        }
        if incident.ui_url != run.ui_url {
            incident.ui_url.clone_from(&run.ui_url);
        }
        // Of the run that is alive now: where an earlier one came from is of no use any more.
        if run.state.is_live() && incident.restored_from != run.checkpoints.restored_from {
            incident.restored_from.clone_from(&run.checkpoints.restored_from);
        }
    }
}

fn job_of<'a>(incident: &Incident, tracker: Option<&'a Tracker>) -> Option<&'a JobTrack> {
    tracker?.job(incident.subject.job()?)
}
