//! A row of `dinky_task` with its last instance, the cluster of that, its owner and tenant.

use super::super::row::Row;
use crate::http::one_line;
use crate::model::{DeployMode, InventoryEntry, Says};

/// Characters kept of a reason.
const MAX_REASON: usize = 300;

/// `step` of a task that is published: Dinky tells of no other.
const PUBLISHED: i64 = 2;

/// What a row says; nothing without an id, nor of a task that is no job of Flink's: Dinky keeps
/// queries of other databases and code of functions in the same table.
pub(in crate::sources::inventory) fn entry(row: &Row<'_>) -> Option<InventoryEntry> {
    let id = row.owned("k.id").filter(|_| is_flink(row.text("k.dialect")))?;
    let mode = mode(row.text("c.type").unwrap_or_default());
    let cluster = row.text("c.name");
    let application = cluster.filter(|name| name.starts_with("application_"));
    let job_id = row.owned("i.jid");
    let says = says(row.text("i.status"));
    // Where the job never came to be, the error is that of the submission.
    let failed_to_start = says == Says::Failed && job_id.is_none();
    let start_failure = row.text("i.error").filter(|_| failed_to_start);
    Some(InventoryEntry {
        name: row.owned("k.name").unwrap_or_default(),
        application_id: application.map(str::to_owned),
        cluster_id: cluster.filter(|_| application.is_none()).map(str::to_owned),
        namespace: None,
        job_id,
        mode,
        says,
        state: row.owned("i.status").unwrap_or_default(),
        busy: false,
        owner: row.owned("u.username"),
        owner_name: row.owned("u.nickname"),
        owner_mail: None,
        team: row.owned("t.tenant_code"),
        team_id: row.owned("k.tenant_id"),
        tags: None,
        alert_id: alert_group(row),
        start_failure: start_failure.map(|error| one_line(error, MAX_REASON)),
        own_restarts: 0,
        id,
    })
}

/// The group that hears of it.
fn alert_group(row: &Row<'_>) -> Option<String> {
    let published = row.number("k.step").is_none_or(|step| step == PUBLISHED);
    row.owned("k.alert_group_id").filter(|id| published && id != "-1" && id != "0")
}

/// Without a dialect, a task is one of Flink SQL.
fn is_flink(dialect: Option<&str>) -> bool {
    const FLINK: [&str; 3] = ["FlinkSql", "FlinkJar", "KubernetesApplication"];
    dialect.is_none_or(|dialect| FLINK.iter().any(|known| known.eq_ignore_ascii_case(dialect)))
}

fn says(status: Option<&str>) -> Says {
    match status.unwrap_or_default().to_ascii_uppercase().as_str() {
        "RUNNING" | "RESTARTING" => Says::Runs,
        "FAILED" => Says::Failed,
        "CANCELED" | "FINISHED" => Says::Ended,
        // It leaves the pool of those that are looked at.
        "UNKNOWN" => Says::Lost,
        "INITIALIZING" | "CREATED" | "FAILING" | "CANCELLING" | "SUSPENDED" | "RECONCILING"
        | "RECONNECTING" => Says::Changes,
        _ => Says::Nothing,
    }
}

fn mode(kind: &str) -> DeployMode {
    match kind.to_ascii_lowercase().replace('_', "-").as_str() {
        "local" => DeployMode::Local,
        "standalone" => DeployMode::Standalone,
        "yarn-session" => DeployMode::YarnSession,
        "yarn-per-job" => DeployMode::YarnPerJob,
        "yarn-application" => DeployMode::YarnApplication,
        "kubernetes-session" => DeployMode::KubernetesSession,
        "kubernetes-application" | "kubernetes-application-operator" => {
            DeployMode::KubernetesApplication
        }
        _ => DeployMode::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::row::Made;
    use super::*;

    #[test]
    fn a_task_with_its_instance_is_read() {
        let made = Made::of(&[
            ("k.id", "12"),
            ("k.name", "orders"),
            ("k.alert_group_id", "3"),
            ("k.tenant_id", "1"),
            ("t.tenant_code", "ads"),
            ("u.username", "duyao"),
            ("i.jid", "0123456789abcdef0123456789abcdef"),
            ("i.status", "UNKNOWN"),
            ("c.name", "application_1700000000000_0042"),
            ("c.type", "yarn-application"),
        ]);
        let found = entry(&made.row()).unwrap();
        assert_eq!(found.application_id.as_deref(), Some("application_1700000000000_0042"));
        assert_eq!((found.cluster_id, found.mode), (None, DeployMode::YarnApplication));
        assert_eq!((found.says, found.state.as_str()), (Says::Lost, "UNKNOWN"));
        assert_eq!((found.team.as_deref(), found.alert_id.as_deref()), (Some("ads"), Some("3")));
    }

    #[test]
    fn a_task_that_never_ran_says_nothing() {
        let made = Made::of(&[("k.id", "12"), ("k.name", "orders"), ("k.alert_group_id", "-1")]);
        let found = entry(&made.row()).unwrap();
        assert_eq!((found.says, found.alert_id, found.job_id), (Says::Nothing, None, None));
        assert_eq!(entry(&Made::of(&[("k.name", "orders")]).row()), None);
    }

    #[test]
    fn queries_and_code_are_no_jobs() {
        for (dialect, expected) in [
            ("FlinkSql", true),
            ("flinkjar", true),
            ("KubernetesApplication", true),
            ("", true),
            ("FlinkSqlEnv", false),
            ("Doris", false),
            ("Java", false),
        ] {
            let made = Made::of(&[("k.id", "1"), ("k.dialect", dialect)]);
            assert_eq!(entry(&made.row()).is_some(), expected, "{dialect}");
        }
    }

    #[test]
    fn only_a_published_task_has_somebody_who_hears_of_it() {
        for (step, expected) in [("2", Some("3")), ("1", None), ("", Some("3"))] {
            let pairs = [("k.id", "1"), ("k.step", step), ("k.alert_group_id", "3")];
            let found = entry(&Made::of(&pairs).row()).unwrap();
            assert_eq!(found.alert_id.as_deref(), expected, "{step}");
        }
    }

    #[test]
    fn an_error_is_why_it_did_not_start_only_without_a_job() {
        for (jid, expected) in [("", Some("no such jar")), ("abc", None)] {
            let pairs = [
                ("k.id", "1"),
                ("i.status", "FAILED"),
                ("i.error", "no\nsuch jar"),
                ("i.jid", jid),
            ];
            let found = entry(&Made::of(&pairs).row()).unwrap();
            assert_eq!(found.start_failure.as_deref(), expected, "{jid}");
        }
    }

    #[test]
    fn a_session_is_named_and_no_application() {
        let pairs = [("k.id", "1"), ("c.name", "shared"), ("c.type", "kubernetes_session")];
        let found = entry(&Made::of(&pairs).row()).unwrap();
        assert_eq!(
            (found.cluster_id.as_deref(), found.mode),
            (Some("shared"), DeployMode::KubernetesSession)
        );
    }
}
