//! What is watched, and in the API server's words.

/// The types of Flink clusters, by the label `type` of what belongs to them.
const OF_FLINK: &str = "type in (flink-native-kubernetes,flink-standalone-kubernetes)";

/// A kind of objects that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum What {
    Deployments,
    FlinkDeployments,
    FlinkSessionJobs,
    FlinkStateSnapshots,
    Pods,
    Services,
    Events,
}

impl What {
    /// Plural and group, as a Role names them: `deployments.apps`.
    pub(super) fn resource(self) -> &'static str {
        match self {
            What::Deployments => "deployments.apps",
            What::FlinkDeployments => "flinkdeployments.flink.apache.org",
            What::FlinkSessionJobs => "flinksessionjobs.flink.apache.org",
            What::FlinkStateSnapshots => "flinkstatesnapshots.flink.apache.org",
            What::Pods => "pods",
            What::Services => "services",
            What::Events => "events",
        }
    }

    /// Without it nothing can be said of jobs that are not there.
    pub(super) fn is_needed(self) -> bool {
        matches!(self, What::Deployments | What::FlinkDeployments | What::FlinkSessionJobs)
    }

    /// The operator may not be installed, or be older than its kind.
    pub(super) fn may_be_absent(self) -> bool {
        matches!(self, What::FlinkDeployments | What::FlinkSessionJobs | What::FlinkStateSnapshots)
    }
}

/// One watch: what, and which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) what: What,
    pub(super) labels: Option<&'static str>,
    pub(super) fields: Option<&'static str>,
}

const fn all(what: What) -> Watch {
    Watch { what, labels: None, fields: None }
}

const fn of_flink(what: What) -> Watch {
    Watch { what, labels: Some(OF_FLINK), fields: None }
}

const fn events(fields: &'static str) -> Watch {
    Watch { what: What::Events, labels: None, fields: Some(fields) }
}

/// The watches of one namespace. Events have no labels, and there are far too many of them.
pub(super) const WATCHES: [Watch; 7] = [
    of_flink(What::Deployments),
    all(What::FlinkDeployments),
    all(What::FlinkSessionJobs),
    all(What::FlinkStateSnapshots),
    of_flink(What::Pods),
    of_flink(What::Services),
    events("involvedObject.kind=FlinkDeployment"),
];
