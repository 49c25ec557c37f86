//! A row of `t_flink_app` with its cluster, user and team.

use super::super::row::Row;
use super::state;
use crate::model::{DeployMode, InventoryEntry};

/// What a row says; nothing without an id.
pub(in crate::sources::inventory) fn entry(row: &Row<'_>) -> Option<InventoryEntry> {
    let id = row.owned("a.id")?;
    // 2.2 renamed the column and kept the numbers.
    let mode = row.number("a.deploy_mode").or_else(|| row.number("a.execution_mode"));
    let mode = state::mode(mode);
    let (word, says) = state::state(row.number("a.state"));
    let name = row.owned("a.job_name").unwrap_or_default();
    let namespace = row.text("a.k8s_namespace").or_else(|| row.text("c.k8s_namespace"));
    Some(InventoryEntry {
        application_id: application(row, mode).map(str::to_owned),
        cluster_id: cluster(row, mode).map(str::to_owned),
        namespace: on_kubernetes(mode).then_some(namespace).flatten().map(str::to_owned),
        job_id: row.owned("a.job_id"),
        mode,
        says,
        state: word,
        busy: row.number("a.option_state").is_some_and(|state| state != 0),
        owner: row.owned("u.username"),
        owner_name: row.owned("u.nick_name"),
        owner_mail: row.owned("u.email"),
        team: row.owned("t.team_name"),
        team_id: row.owned("a.team_id"),
        tags: row.owned("a.tags"),
        alert_id: row.owned("a.alert_id"),
        start_failure: None,
        own_restarts: row.number("a.restart_size").and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        id,
        name,
    })
}

fn on_kubernetes(mode: DeployMode) -> bool {
    matches!(mode, DeployMode::KubernetesSession | DeployMode::KubernetesApplication)
}

/// The YARN application, in whichever column the version keeps it: in a session that of the cluster,
/// else `cluster_id` (2.1.4 and later) or `app_id` (before). The others hold other things.
fn application<'r>(row: &Row<'r>, mode: DeployMode) -> Option<&'r str> {
    let columns = match mode {
        DeployMode::YarnSession => ["c.cluster_id", "a.cluster_id", "a.app_id"],
        DeployMode::YarnApplication | DeployMode::YarnPerJob => {
            ["a.cluster_id", "a.app_id", "c.cluster_id"]
        }
        _ => return None,
    };
    let values = columns.into_iter().filter_map(|column| row.text(column));
    values.into_iter().find(|value| value.starts_with("application_"))
}

/// The Kubernetes cluster-id: the job's name in application mode, that of the cluster in a session.
fn cluster<'r>(row: &Row<'r>, mode: DeployMode) -> Option<&'r str> {
    match mode {
        // Also in 2.2, whose column `k8s_name` nothing writes.
        DeployMode::KubernetesApplication => row.text("a.job_name"),
        DeployMode::KubernetesSession => {
            row.text("c.cluster_id").or_else(|| row.text("a.cluster_id"))
        }
        DeployMode::Standalone => row.text("c.cluster_name"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::row::Made;
    use super::*;
    use crate::model::Says;

    const APP: &str = "application_1700000000000_0042";
    const SESSION: &str = "application_1700000000000_0007";

    fn read(pairs: &[(&str, &str)]) -> InventoryEntry {
        let mut all = vec![("a.id", "100001"), ("a.job_name", "orders"), ("a.state", "5")];
        all.extend(pairs);
        entry(&Made::of(&all).row()).unwrap()
    }

    #[test]
    fn the_yarn_application_is_where_the_version_keeps_it() {
        for (version, pairs, expected) in [
            (
                "2.1.2",
                vec![("a.execution_mode", "4"), ("a.app_id", APP), ("a.cluster_id", "")],
                Some(APP),
            ),
            ("2.1.7", vec![("a.execution_mode", "4"), ("a.cluster_id", APP)], Some(APP)),
            (
                "2.2",
                vec![("a.deploy_mode", "4"), ("a.app_id", ""), ("a.cluster_id", APP)],
                Some(APP),
            ),
            ("per job", vec![("a.execution_mode", "2"), ("a.cluster_id", APP)], Some(APP)),
            (
                "session",
                vec![("a.execution_mode", "3"), ("c.cluster_id", SESSION), ("a.cluster_id", APP)],
                Some(SESSION),
            ),
            ("never started", vec![("a.execution_mode", "4")], None),
            ("no id of YARN", vec![("a.execution_mode", "4"), ("a.cluster_id", "orders")], None),
            ("not on YARN", vec![("a.execution_mode", "6"), ("a.cluster_id", APP)], None),
            ("no mode", vec![("a.cluster_id", APP)], None),
        ] {
            assert_eq!(read(&pairs).application_id.as_deref(), expected, "{version}");
        }
    }

    #[test]
    fn the_cluster_id_of_kubernetes_is_the_name_in_application_mode() {
        let own =
            read(&[("a.execution_mode", "6"), ("a.k8s_namespace", "flink"), ("a.cluster_id", "x")]);
        assert_eq!(own.cluster_id.as_deref(), Some("orders"));
        assert_eq!(own.namespace.as_deref(), Some("flink"));
        let session = read(&[
            ("a.execution_mode", "5"),
            ("c.cluster_id", "session-1"),
            ("c.k8s_namespace", "jobs"),
        ]);
        let place = (session.cluster_id.as_deref(), session.namespace.as_deref());
        assert_eq!(place, (Some("session-1"), Some("jobs")));
        // On YARN, a namespace that was once filled in means nothing.
        let yarn = read(&[("a.execution_mode", "4"), ("a.k8s_namespace", "default")]);
        assert_eq!((yarn.cluster_id, yarn.namespace), (None, None));
    }

    #[test]
    fn a_whole_row_is_read() {
        let found = read(&[
            ("a.execution_mode", "4"),
            ("a.option_state", "0"),
            ("a.team_id", "100000"),
            ("t.team_name", "ads"),
            ("u.username", "duyao"),
            ("u.nick_name", "Du Yao"),
            ("u.email", "duyao@example.com"),
            ("a.job_id", "0123456789abcdef0123456789abcdef"),
            ("a.restart_size", "3"),
            ("a.alert_id", "2"),
            ("a.tags", "cn,critical"),
        ]);
        assert_eq!(found.owner_name.as_deref(), Some("Du Yao"));
        assert_eq!((found.owner.as_deref(), found.team.as_deref()), (Some("duyao"), Some("ads")));
        assert_eq!((found.own_restarts, found.alert_id.as_deref()), (3, Some("2")));
        assert!(!found.busy && found.tags.as_deref() == Some("cn,critical"));
    }

    #[test]
    fn nulls_and_nonsense_cost_a_field() {
        assert_eq!(entry(&Made::of(&[("a.job_name", "orders")]).row()), None, "no id");
        let pairs =
            [("a.id", "1"), ("a.state", "x"), ("a.option_state", "?"), ("a.restart_size", "-1")];
        let bare = entry(&Made::of(&pairs).row()).unwrap();
        let expected = InventoryEntry { id: "1".to_owned(), ..InventoryEntry::default() };
        assert_eq!(bare, expected);
        let busy = entry(&Made::of(&[("a.id", "1"), ("a.option_state", "3")]).row()).unwrap();
        assert!(busy.busy);
        let lost = entry(&Made::of(&[("a.id", "1"), ("a.state", "13")]).row()).unwrap();
        assert_eq!((lost.state.as_str(), lost.says), ("LOST", Says::Lost));
    }
}
