//! A person asks for a restart, or what would become of one.

use super::holds::{Hold, Weight};
use super::restarts::{Restarts, Stepped};
use super::words::{named, planned};
use super::world::World;
use crate::model::{AskedBy, JobKey, RestartState, RestoreFrom, Time};

/// What there is to say to whoever asked.
#[derive(Debug, Default)]
pub struct Asked {
    /// In words.
    pub said: String,
    /// The restart it made or approved.
    pub restart: Option<u64>,
    /// What holds it, or would: the guard and words.
    pub holds: Vec<(String, String)>,
    /// Nothing is done.
    pub refused: bool,
    /// What is to be done.
    pub stepped: Stepped,
}

fn refused(said: String) -> Asked {
    Asked { said, refused: true, ..Asked::default() }
}

impl Restarts {
    /// Restarts a job for a person: what proves that it is dead and the limits hold them, too.
    pub fn ask(
        &mut self,
        time: Time,
        world: &World<'_>,
        key: &JobKey,
        from: Option<&str>,
        by: &str,
        preview: bool,
    ) -> Asked {
        let Some(policy) = world.policy(&self.settings, key) else {
            return refused(format!(
                "no entry under `restarts` is about {key} (add one whose matchers fit, with a \
                 driver)"
            ));
        };
        let wanted = match from.map(|text| Restarts::restore_from(world, key, text)).transpose() {
            Ok(wanted) => wanted,
            Err(why) => return refused(why),
        };
        let incident = world.incident_of(key);
        let asked_by = AskedBy::Person(by.to_owned());
        let open = self.open_of(key).cloned();
        let mut holds = self.holds(time, world, key, &policy, incident, true, open.as_ref());
        if let Some(row) = &open
            && !matches!(row.state, RestartState::Planned | RestartState::Approval)
        {
            let (id, state) = (row.id, row.state.as_str());
            return refused(format!("restart {id} of {key} is on its way: it is {state}"));
        }
        let name = wanted.as_ref().map(|from| from.name().to_owned());
        let name = name.or_else(|| self.preview(world, key));
        let what = match &name {
            Some(name) => format!("from {name}"),
            None if policy.start_empty => "from nothing".to_owned(),
            None => {
                let why = crate::model::Both::new(
                    "no checkpoint of it is known to restore from (name one with --from)",
                    "没有已知的可用于恢复的 checkpoint（用 --from 指定）",
                );
                holds.push(Hold::NoCheckpoint(why));
                "from nothing".to_owned()
            }
        };
        let words: Vec<(String, String)> =
            holds.iter().map(|hold| (hold.guard().to_owned(), hold.words().en)).collect();
        let driver = &policy.driver;
        if preview {
            let said = match words.first() {
                None => format!("{key} would be restarted {what} by {driver} now"),
                Some((_, why)) => {
                    format!("{key} would not be restarted ({what}, by {driver}): {why}")
                }
            };
            return Asked { said, holds: words, ..Asked::default() };
        }
        let stops = |hold: &&Hold| hold.weight() != Weight::Wait;
        if let Some(hold) = holds.iter().find(stops) {
            return Asked { holds: words, ..refused(format!("{key}: {}", hold.words().en)) };
        }
        let mut stepped = Stepped::default();
        if let Some(row) = open {
            if let Some(wanted) = wanted {
                self.want(row.id, wanted.path);
            }
            let stepped = self.approve(time, world, row.id, by);
            let said = format!("restart {} of {key} approved, {what}", row.id);
            return Asked { said, restart: Some(row.id), holds: words, stepped, refused: false };
        }
        let id = self.plan(time, world, key, &policy, incident, asked_by, wanted, &mut stepped);
        let held = words.first().map(|(_, why)| format!("; it waits: {why}")).unwrap_or_default();
        let said = match id {
            Some(id) => format!("restart {id} of {key} {what} by {driver}{held}"),
            None => format!("{key} is not watched"),
        };
        Asked { said, refused: id.is_none(), restart: id, holds: words, stepped }
    }

    /// A person wants it restored from this.
    pub(super) fn want(&mut self, id: u64, path: String) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.wanted = Some(path);
        }
    }

    /// A person lets it go on, or asks for it.
    pub(super) fn approve(&mut self, time: Time, world: &World<'_>, id: u64, by: &str) -> Stepped {
        let mut out = Stepped::default();
        if let Some(mut row) = self.rows.get(&id).cloned() {
            row.state = RestartState::Planned;
            row.due = time.steady;
            row.approved = Some(by.to_owned());
            Restarts::event(&row, &format!("approved by {by}"), &mut out);
            let from = self.preview(world, &row.job);
            self.tell(&row, world, planned(&row, time, from), &mut out);
            self.keep(row, &mut out);
        }
        out
    }

    /// A person does not want it.
    pub fn decline(&mut self, time: Time, world: &World<'_>, id: u64, by: &str) -> Stepped {
        let mut out = Stepped::default();
        if let Some(mut row) = self.rows.get(&id).cloned() {
            row.declined = Some(by.to_owned());
            let words = Hold::Declined(by.to_owned()).words();
            self.drop_row(time, world, row, &words, &mut out);
        }
        out
    }

    /// What a person means: a known path or number of this job, or a path nobody has seen. One that
    /// was recorded under another job is refused.
    fn restore_from(world: &World<'_>, key: &JobKey, text: &str) -> Result<RestoreFrom, String> {
        if let Some(known) = world.tracker.ledger(key).and_then(|ledger| ledger.named(text)) {
            return Ok(named(known));
        }
        if !is_path(text) {
            return Err(format!(
                "`{text}` is neither a path nor a checkpoint of {key} (`weir checkpoints {key}` \
                 lists those that are known)"
            ));
        }
        if let Some(other) = world.tracker.whose_checkpoint(text, key) {
            return Err(format!("{text} is a checkpoint of {other}, not of {key}"));
        }
        Ok(RestoreFrom { path: text.to_owned(), id: None, savepoint: false, completed_at: None })
    }
}

/// It looks like a path Flink could resolve: absolute, or with a scheme.
fn is_path(text: &str) -> bool {
    let plain = !text.is_empty() && !text.contains(char::is_control) && text.len() <= 4_096;
    let scheme = text.split_once(":/").is_some_and(|(scheme, rest)| {
        !scheme.is_empty()
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
            && !rest.is_empty()
    });
    plain && (scheme || (text.starts_with('/') && text.len() > 1))
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn a_path_is_absolute_or_has_a_scheme() {
        for text in ["/ck/chk-1", "file:/ck/chk-1", "s3://b/x", "hdfs://nn:8020/x", "oss://b/作业"]
        {
            assert!(is_path(text), "{text}");
        }
        for text in ["", "/", "chk-1", "42", "file:", "s3:", "../x", "file:/a\nb", "<none>", "n/a"]
        {
            assert!(!is_path(text), "{text}");
        }
    }
}
