//! Silences: what people do not want to hear of for a while, with Alertmanager's meaning; and
//! maintenance, which is a silence for what a backfill causes.

use serde::{Deserialize, Serialize};

use super::{Aspect, Incident, Labels, Matcher, MatcherError, Member, Ts, matches_all};

/// What a backfill causes: it is behind, it is busy, and its checkpoints take long. Never that a
/// job fails, ends or lost its state.
const BY_WORK: [&str; 3] = [Aspect::LAG, Aspect::RESOURCES, Aspect::CHECKPOINTS];

/// Until when it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Wall time.
    At(Ts),
    /// So many ms after its start.
    After(u64),
}

/// A silence somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceWish {
    /// Any unambiguous part of a job's key: matchers that fit it alone are added.
    pub job: Option<String>,
    /// All must hold, in Alertmanager's syntax.
    pub matchers: Vec<String>,
    /// Only what a backfill causes.
    pub only_work: bool,
    /// It is maintenance: a word for people.
    pub maintenance: bool,
    /// Weir restarts none of these jobs by itself.
    #[serde(default)]
    pub hold_restarts: bool,
    /// Wall time; none: now.
    pub starts_at: Option<Ts>,
    /// Its end.
    pub until: Until,
    /// In their words.
    pub comment: String,
    /// Only say what it would hit.
    pub preview: bool,
}

/// Where a silence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceState {
    /// Its time has not come.
    Pending,
    /// It holds.
    Active,
    /// It is over.
    Expired,
}

impl SilenceState {
    /// The word in the API, as Alertmanager's.
    pub fn as_str(self) -> &'static str {
        match self {
            SilenceState::Pending => "pending",
            SilenceState::Active => "active",
            SilenceState::Expired => "expired",
        }
    }
}

/// Alerts nobody is to be told of for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Row", into = "Row")]
pub struct Silence {
    /// Number, growing by one; people say "silence #7".
    pub id: u64,
    /// All must hold for the labels of an alert.
    pub matchers: Vec<Matcher>,
    /// Only what a backfill causes.
    pub only_work: bool,
    /// It is maintenance: a word for people.
    pub maintenance: bool,
    /// Weir restarts none of these jobs by itself.
    pub hold_restarts: bool,
    /// Wall time.
    pub starts_at: Ts,
    /// Wall time; it holds before this.
    pub ends_at: Ts,
    /// Who wants it.
    pub created_by: String,
    /// Wall time.
    pub created_at: Ts,
    /// In their words.
    pub comment: String,
}

/// A silence as it is stored: matchers as they were written.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    id: u64,
    matchers: Vec<String>,
    #[serde(default)]
    only_work: bool,
    #[serde(default)]
    maintenance: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    hold_restarts: bool,
    starts_at: Ts,
    ends_at: Ts,
    created_by: String,
    created_at: Ts,
    comment: String,
}

impl TryFrom<Row> for Silence {
    type Error = MatcherError;

    fn try_from(row: Row) -> Result<Silence, MatcherError> {
        let matchers: Result<_, _> = row.matchers.iter().map(|text| Matcher::parse(text)).collect();
        Ok(Silence {
            id: row.id,
            matchers: matchers?,
            only_work: row.only_work,
            maintenance: row.maintenance,
            hold_restarts: row.hold_restarts,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            created_by: row.created_by,
            created_at: row.created_at,
            comment: row.comment,
        })
    }
}

impl From<Silence> for Row {
    fn from(silence: Silence) -> Row {
        Row {
            id: silence.id,
            matchers: silence.matchers.into_iter().map(|matcher| matcher.text).collect(),
            only_work: silence.only_work,
            maintenance: silence.maintenance,
            hold_restarts: silence.hold_restarts,
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            created_by: silence.created_by,
            created_at: silence.created_at,
            comment: silence.comment,
        }
    }
}

impl Silence {
    /// Silences are kept in rows (`Change::Meta`) of this name; the number follows.
    pub const ROW: &str = "silence/";

    /// Where it stands at a wall time.
    pub fn state(&self, now: Ts) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if now < self.starts_at {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Whether it is about an alert of this aspect with these labels, at any time.
    pub fn is_about(&self, aspect: &Aspect, labels: &Labels) -> bool {
        (!self.only_work || BY_WORK.contains(&aspect.as_str()))
            && matches_all(&self.matchers, labels)
    }

    /// Whether it is about all of an incident, at any time: every alert of it that fires, or in its
    /// quiet time every one that did.
    pub fn hides(&self, incident: &Incident) -> bool {
        !incident.members.is_empty()
            && speaking(incident).all(|member| self.is_about(&incident.aspect, &member.labels))
    }

    /// The silence that hides an incident at a wall time: every alert of it is hidden by one. Of
    /// several, the one that ends first, for then some of it is to be heard of.
    pub fn hiding<'a>(
        all: impl Iterator<Item = &'a Silence> + Clone,
        incident: &Incident,
        now: Ts,
    ) -> Option<&'a Silence> {
        let active = all.filter(|s| s.state(now) == SilenceState::Active);
        active.clone().next()?;
        let longest = |member: &Member| {
            let about = active.clone().filter(|s| s.is_about(&incident.aspect, &member.labels));
            about.max_by_key(|s| (s.ends_at, s.id))
        };
        let each: Option<Vec<&Silence>> = speaking(incident).map(longest).collect();
        each?.into_iter().min_by_key(|s| (s.ends_at, s.id))
    }

    /// `silence #7` or `maintenance #7`.
    pub fn name(&self) -> String {
        let word = if self.maintenance { "maintenance" } else { "silence" };
        format!("{word} #{}", self.id)
    }
}

/// Alerts that speak for an incident: those that fire, else all.
fn speaking(incident: &Incident) -> impl Iterator<Item = &Member> {
    let any_fires = incident.members.iter().any(|m| m.firing);
    incident.members.iter().filter(move |m| m.firing || !any_fires)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(only_work: bool) -> Silence {
        Silence {
            id: 7,
            matchers: vec![Matcher::parse("team=~\"ro|ads\"").unwrap()],
            only_work,
            maintenance: only_work,
            hold_restarts: !only_work,
            starts_at: Ts(100),
            ends_at: Ts(200),
            created_by: "ann".to_owned(),
            created_at: Ts(50),
            comment: "作业回补".to_owned(),
        }
    }

    #[test]
    fn it_holds_from_its_start_to_before_its_end() {
        use SilenceState::{Active, Expired, Pending};
        for (now, state) in [(99, Pending), (100, Active), (199, Active), (200, Expired)] {
            assert_eq!(silence(false).state(Ts(now)), state, "{now}");
        }
    }

    #[test]
    fn maintenance_is_about_work_and_never_about_failures() {
        let labels = Labels::from([("team", "ro")]);
        for (aspect, by_work) in [
            (Aspect::LAG, true),
            (Aspect::CHECKPOINTS, true),
            (Aspect::RESOURCES, true),
            (Aspect::FAILURE, false),
            (Aspect::PLATFORM, false),
            ("end", false),
            ("state", false),
        ] {
            assert_eq!(silence(true).is_about(&aspect.into(), &labels), by_work, "{aspect}");
            assert!(silence(false).is_about(&aspect.into(), &labels), "{aspect}");
            let others = Labels::from([("team", "risk")]);
            assert!(!silence(false).is_about(&aspect.into(), &others));
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let text = serde_json::to_string(&silence(true)).unwrap();
        assert_eq!(serde_json::from_str::<Silence>(&text).unwrap(), silence(true));
        let broken = text.replace("ro|ads", "ro(");
        assert!(serde_json::from_str::<Silence>(&broken).is_err());
    }
}
