//! Alerts from outside on their way into the incidents: what is no news is left out, and a job they
//! name is found.

use super::step::Engine;
use crate::incidents::Sender;
use crate::model::{Action, Change, Command, JobKey, Labels, Posted, Reply, Time};

impl Engine {
    /// Leaves of a command with alerts from outside what is news, before it is written down and a
    /// turn is taken for it: they are sent again each minute, and mostly say nothing new. The reply,
    /// where nothing is left; other commands are left alone.
    pub(super) fn thin(&self, time: Time, command: &mut Command) -> Reply {
        let Action::Alerts(posted) = &mut command.what else { return Reply::default() };
        let no_room = self.incidents.thin(time, posted);
        Reply { said: said(0, no_room), no_room, ..Reply::default() }
    }

    /// Takes in what was sent. It needs no memory of its id: the same again says nothing new.
    pub(super) fn hear(
        &mut self,
        time: Time,
        posted: &[Posted],
        by: &str,
        changes: &mut Vec<Change>,
    ) -> Reply {
        let tracker = &self.tracker;
        let jobs = || {
            tracker.jobs().map(|(key, job)| {
                (key, [&job.name, &job.cluster, &job.namespace, &job.flink_cluster])
            })
        };
        let job = |labels: &Labels| named(labels, jobs());
        let (no_room, stepped) = self.incidents.hear(time, posted, Sender { by, job: &job });
        self.take(time, stepped, changes);
        let taken = posted.len() - no_room;
        let said = said(taken, no_room);
        Reply { said, changed: taken > 0, no_room, ..Reply::default() }
    }
}

fn said(taken: usize, no_room: usize) -> String {
    let mut said = match taken {
        0 => "nothing new".to_owned(),
        1 => "1 alert taken in".to_owned(),
        more => format!("{more} alerts taken in"),
    };
    if no_room > 0 {
        said = format!("{said}; no room for {no_room} more");
    }
    said
}

/// The one job that labels name: by `job_name`, and by what else they say of where it runs.
fn named<'a>(
    labels: &Labels,
    mut jobs: impl Iterator<Item = (&'a JobKey, [&'a String; 4])>,
) -> Option<JobKey> {
    let wanted = ["job_name", "cluster", "namespace", "flink_cluster"].map(|name| labels.get(name));
    if wanted.first().is_none_or(|name| name.is_empty()) {
        return None;
    }
    let fits = |(_, parts): &(&JobKey, [&String; 4])| {
        wanted.iter().zip(parts).all(|(wanted, part)| wanted.is_empty() || wanted == part)
    };
    let found = jobs.find(fits)?.0;
    // Of two nobody knows which is meant.
    jobs.find(fits).is_none().then(|| found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_its_name_and_where_it_runs() {
        let keys =
            ["prod/etl", "dr/etl", "prod/s1/x", "prod/s2/x"].map(|key| JobKey(key.to_owned()));
        let parts = [
            ["etl", "prod", "", "etl"],
            ["etl", "dr", "", "etl"],
            ["x", "prod", "", "s1"],
            ["x", "prod", "", "s2"],
        ]
        .map(|parts| parts.map(str::to_owned));
        for (labels, wanted) in [
            (Labels::from([("job_name", "etl"), ("cluster", "dr")]), Some("dr/etl")),
            (Labels::from([("job_name", "etl")]), None),
            (Labels::from([("job_name", "etl"), ("cluster", "test")]), None),
            (Labels::from([("job_name", "x"), ("flink_cluster", "s2")]), Some("prod/s2/x")),
            (Labels::from([("job_name", "x"), ("cluster", "prod")]), None),
            // Prometheus' own `cluster` and the like name no job.
            (Labels::from([("cluster", "dr"), ("flink_cluster", "etl")]), None),
        ] {
            let jobs = keys.iter().zip(parts.iter().map(<[String; 4]>::each_ref));
            let found = named(&labels, jobs);
            assert_eq!(found.as_ref().map(|key| key.0.as_str()), wanted, "{}", labels.display());
        }
    }
}
