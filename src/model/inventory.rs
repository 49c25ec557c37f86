//! What an inventory (StreamPark, Dinky) says about a job: whose it is, how it should be, where it
//! believes it to run. It enriches jobs that a platform shows; it never names one.

use serde::{Deserialize, Serialize};

use super::Labels;

/// A job as an inventory knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InventoryEntry {
    /// Its number there: what is named when the inventory is to restart it.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// YARN application it was last started as, or of the session it was given to.
    pub application_id: Option<String>,
    /// Kubernetes cluster-id, or another name of its Flink cluster.
    pub cluster_id: Option<String>,
    /// Kubernetes namespace.
    pub namespace: Option<String>,
    /// Flink's id of its last run, as far as the inventory has heard.
    pub job_id: Option<String>,
    /// Where it is to run.
    pub mode: DeployMode,
    /// What its state there means.
    pub says: Says,
    /// Its state there, in the inventory's own word, such as `LOST`.
    pub state: String,
    /// The inventory is starting, cancelling or otherwise at work on it: its state is about to
    /// change.
    pub busy: bool,
    /// User it belongs to.
    pub owner: Option<String>,
    /// That user's name as people say it.
    pub owner_name: Option<String>,
    /// That user's mail address.
    pub owner_mail: Option<String>,
    /// Team or tenant it belongs to.
    pub team: Option<String>,
    /// Number of that team, which newer interfaces want with every order.
    pub team_id: Option<String>,
    /// Tags, separated by commas.
    pub tags: Option<String>,
    /// The one alert configuration of the inventory it is bound to; without one nobody hears of it.
    pub alert_id: Option<String>,
    /// Why its last start failed, where it did: one line.
    pub start_failure: Option<String>,
    /// How often the inventory restarts it by itself; nobody else should while this is not 0.
    pub own_restarts: u32,
}

/// A checkpoint or savepoint of a job, as an inventory keeps it in a table of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InventoryCheckpoint {
    /// Number of the job there.
    pub entry: String,
    /// Flink's number of it.
    pub id: Option<u64>,
    /// External path.
    pub path: String,
    /// A savepoint.
    pub savepoint: bool,
    /// When it was triggered, by a clock whose zone the table does not tell: ms as if it were UTC's.
    pub local_ms: Option<i64>,
}

/// Declares an enum with the word for each, by which it is written down.
macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[$attr:meta])* $variant:ident => $word:literal),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$attr])* $variant),* }

        impl $name {
            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }

            /// The one with this word; the default for any other.
            pub fn parse(word: &str) -> $name {
                match word { $($word => $name::$variant,)* _ => $name::default() }
            }
        }
    };
}

words! {
    /// Where an inventory runs a job.
    DeployMode {
        /// The inventory does not say.
        #[default]
        Unknown => "unknown",
        /// In the inventory's own process.
        Local => "local",
        /// In a cluster that was started by hand.
        Standalone => "standalone",
        /// In a YARN application of its own, started by the client.
        YarnPerJob => "yarn_per_job",
        /// In a YARN application shared by several jobs.
        YarnSession => "yarn_session",
        /// In a YARN application of its own.
        YarnApplication => "yarn_application",
        /// In a Kubernetes deployment shared by several jobs.
        KubernetesSession => "kubernetes_session",
        /// In a Kubernetes deployment of its own.
        KubernetesApplication => "kubernetes_application",
    }
}

words! {
    /// What the state of a job in an inventory means.
    Says {
        /// Nothing that could be compared.
        #[default]
        Nothing => "nothing",
        /// It runs.
        Runs => "runs",
        /// It is on its way somewhere: starting, cancelling, taking a savepoint.
        Changes => "changes",
        /// It failed.
        Failed => "failed",
        /// The inventory has lost sight of it, and does not look any more.
        Lost => "lost",
        /// It was cancelled, or has finished.
        Ended => "ended",
    }
}

impl DeployMode {
    /// Its Flink cluster is its own: what identifies the cluster identifies the job.
    pub fn is_own_cluster(self) -> bool {
        use DeployMode::{KubernetesApplication, YarnApplication, YarnPerJob};
        matches!(self, KubernetesApplication | YarnApplication | YarnPerJob)
    }
}

impl Says {
    /// The inventory takes it for dead and looks no more.
    pub fn is_dead(self) -> bool {
        matches!(self, Says::Failed | Says::Lost | Says::Ended)
    }
}

impl InventoryEntry {
    /// Kinds of sources that show no jobs, and say more about those that others show.
    pub const KINDS: [&'static str; 3] = ["streampark", "dinky", "history_server"];

    /// The label by which a job is known to be in an inventory; its value is the inventory's
    /// configured name.
    pub const LABEL: &'static str = "inventory";

    /// The labels it gives to its job.
    pub fn labels(&self, inventory: &str) -> Labels {
        let mut labels = Labels::default();
        labels.set(InventoryEntry::LABEL, inventory);
        let found = [("owner", &self.owner), ("team", &self.team), ("tags", &self.tags)];
        for (name, value) in found {
            if let Some(value) = value {
                labels.set(name, value.as_str());
            }
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_label() {
        let entry = InventoryEntry { owner: Some("duyao".into()), ..InventoryEntry::default() };
        let expected = Labels::from([("inventory", "sp"), ("owner", "duyao")]);
        assert_eq!(entry.labels("sp"), expected);
        let bare = InventoryEntry::default().labels("sp");
        assert_eq!(bare, Labels::from([("inventory", "sp")]));
    }

    #[test]
    fn entries_of_other_versions_read() {
        let read: InventoryEntry = serde_json::from_str(r#"{"id":"1","later":true}"#).unwrap();
        assert_eq!(
            (read.id.as_str(), read.says, read.mode),
            ("1", Says::Nothing, DeployMode::Unknown)
        );
    }

    #[test]
    fn words_read_back() {
        for mode in [DeployMode::YarnSession, DeployMode::KubernetesApplication] {
            assert_eq!(DeployMode::parse(mode.as_str()), mode);
        }
        assert_eq!(Says::parse("lost"), Says::Lost);
        assert_eq!(Says::parse("a word of tomorrow"), Says::Nothing);
    }
}
