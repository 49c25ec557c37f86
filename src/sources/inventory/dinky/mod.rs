//! Dinky 1.x: its tables and what they mean. Checked against the schemas of 1.0.0, 1.0.3, 1.1.0 and
//! of the development of 1.2.

mod entry;
mod params;

use super::table::{ALL, DINKY_NEW, Table, column};

pub(super) use entry::entry;
pub(super) use params::ways;

/// Aliases of what a job is put together of.
pub(super) const JOBS: [&str; 5] = ["k", "i", "c", "u", "t"];
/// By what a team, here a tenant, is named.
pub(super) const TEAM: [(&str, &str); 2] = [("k", "tenant_id"), ("t", "tenant_code")];

/// What is read at every look.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "dinky_task",
        alias: "k",
        vintages: ALL,
        join: None,
        columns: &[
            column("id").must(),
            column("name").must(),
            column("tenant_id"),
            column("dialect"),
            column("step"),
            column("first_level_owner").only(DINKY_NEW),
            column("job_instance_id"),
            column("alert_group_id"),
        ],
    },
    Table {
        name: "dinky_job_instance",
        alias: "i",
        vintages: ALL,
        join: Some(("id", ("k", "job_instance_id"))),
        columns: &[
            column("id"),
            column("cluster_id"),
            column("jid"),
            column("status"),
            column("error").cut(4_000),
        ],
    },
    Table {
        name: "dinky_cluster",
        alias: "c",
        vintages: ALL,
        join: Some(("id", ("i", "cluster_id"))),
        columns: &[column("id"), column("name"), column("type")],
    },
    Table {
        name: "dinky_user",
        alias: "u",
        vintages: DINKY_NEW,
        join: Some(("id", ("k", "first_level_owner"))),
        columns: &[column("id"), column("username"), column("nickname")],
    },
    Table {
        name: "dinky_tenant",
        alias: "t",
        vintages: ALL,
        join: Some(("id", ("k", "tenant_id"))),
        columns: &[column("id"), column("tenant_code")],
    },
];

/// What an import reads beside: the users' channels, with their secrets.
pub(super) const IMPORT_TABLES: &[Table] = &[
    Table {
        name: "dinky_alert_group",
        alias: "g",
        vintages: ALL,
        join: None,
        columns: &[
            column("id").must(),
            column("name").must(),
            column("alert_instance_ids").must().cut(4_000),
        ],
    },
    Table {
        name: "dinky_alert_instance",
        alias: "s",
        vintages: ALL,
        join: None,
        columns: &[
            column("id").must(),
            column("name"),
            column("type").must(),
            column("params").must().cut(8_000),
            column("enabled"),
        ],
    },
];
