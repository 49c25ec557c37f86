//! Apache StreamPark 2.0 to 2.2: its tables and what they mean.

mod entry;
mod params;
mod savepoints;
mod starts;
mod state;

use super::table::{ALL, Column, FIRST, MIDDLE, NEW, OLD, Table, column};

pub(super) use entry::entry;
pub(super) use params::ways;
pub(super) use savepoints::recorded;
pub(super) use starts::failures;

/// `option_name` of a start (2 is a savepoint, 3 a cancel).
pub(super) const START: i64 = 1;
/// `job_type` of a job of Spark in the log of 2.2; its number may be that of one of Flink's.
pub(super) const SPARK: i64 = 2;
/// Settings of the whole installation.
pub(super) const SETTINGS: &str = "t_setting";
/// Keys of the mail server among the settings. There are passwords of other things beside them.
pub(super) const MAIL: [&str; 6] = [
    "alert.email.host",
    "alert.email.port",
    "alert.email.from",
    "alert.email.userName",
    "alert.email.password",
    "alert.email.ssl",
];
/// The log of starts, by the name it has had since when.
pub(super) const LOGS: [&str; 2] = ["t_app_log", "t_flink_log"];
/// Checkpoints and savepoints it has seen, with their paths; older checkpoints than Flink keeps are
/// deleted from it.
pub(super) const SAVEPOINTS: &str = "t_flink_savepoint";
/// Aliases of what a job is put together of.
pub(super) const JOBS: [&str; 4] = ["a", "c", "u", "t"];
/// By what a team is named.
pub(super) const TEAM: [(&str, &str); 2] = [("a", "team_id"), ("t", "team_name")];

/// A log has one row per try, each with its stack trace.
const LOG: &[Column] = &[
    column("id").must(),
    column("app_id").must(),
    column("option_name").must(),
    column("success").must(),
    column("exception").cut(4_000),
    column("job_type").only(NEW),
];

/// What is read at every look.
pub(super) const TABLES: &[Table] = &[
    Table {
        name: "t_flink_app",
        alias: "a",
        vintages: ALL,
        join: None,
        columns: &[
            column("id").must(),
            column("job_name").must(),
            column("state").must(),
            column("team_id"),
            column("user_id"),
            column("execution_mode").only(FIRST | OLD | MIDDLE),
            column("deploy_mode").only(NEW),
            // The YARN application until 2.1.3; from 2.1.4 that is in `cluster_id`. A 2.2 that was
            // installed anew has it too, and leaves it empty.
            column("app_id").only(FIRST | OLD),
            column("cluster_id"),
            column("flink_cluster_id"),
            column("k8s_namespace"),
            column("job_id"),
            column("option_state"),
            column("restart_size"),
            column("alert_id"),
            column("tags"),
        ],
    },
    Table {
        name: "t_flink_cluster",
        alias: "c",
        vintages: ALL,
        join: Some(("id", ("a", "flink_cluster_id"))),
        columns: &[
            column("id"),
            column("cluster_id"),
            column("cluster_name"),
            column("k8s_namespace"),
        ],
    },
    Table {
        name: "t_user",
        alias: "u",
        vintages: ALL,
        join: Some(("user_id", ("a", "user_id"))),
        columns: &[column("user_id"), column("username"), column("nick_name"), column("email")],
    },
    Table {
        name: "t_team",
        alias: "t",
        vintages: ALL,
        join: Some(("id", ("a", "team_id"))),
        columns: &[column("id"), column("team_name")],
    },
    Table {
        name: SAVEPOINTS,
        alias: "p",
        vintages: ALL,
        join: None,
        columns: &[
            column("id").must(),
            column("app_id").must(),
            column("chk_id"),
            column("type").must(),
            column("path").must(),
            column("trigger_time").must(),
        ],
    },
    Table { name: "t_app_log", alias: "l", vintages: NEW, join: None, columns: LOG },
    // That of 2.0 has no `option_name`: starts cannot be told from cancels.
    Table { name: "t_flink_log", alias: "l", vintages: OLD | MIDDLE, join: None, columns: LOG },
];

/// What an import reads beside: the users' channels, with their secrets.
pub(super) const IMPORT_TABLES: &[Table] = &[
    Table {
        name: "t_alert_config",
        alias: "g",
        vintages: ALL,
        join: None,
        columns: &[
            column("id").must(),
            column("alert_name").must(),
            column("alert_type").must(),
            column("email_params").cut(4_000),
            column("ding_talk_params").cut(4_000),
            column("we_com_params").cut(4_000),
            column("http_callback_params").cut(4_000),
            column("lark_params").cut(4_000),
        ],
    },
    Table {
        name: SETTINGS,
        alias: "s",
        vintages: ALL,
        join: None,
        columns: &[column("setting_key").must(), column("setting_value").must()],
    },
];
