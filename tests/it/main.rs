//! Tests against real components and strict stand-ins, in one binary: linking is the slow part.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../testbed/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "each binary uses a part of the test bed")]
mod testbed;

#[path = "../scenarios/matrix/mod.rs"]
#[expect(dead_code, reason = "the table is written by `make scenarios`")]
mod matrix;

mod alertmanager;
mod applications;
mod architecture;
mod austin;
mod bad_channels;
mod bad_cli;
mod bad_input;
mod bad_store;
mod checkpoint_stores_real;
mod commands;
mod confined;
mod doctor;
mod doctor_real;
mod escalate;
mod explain;
mod fallback;
mod first_look;
mod flink_source;
mod flink_testbed;
mod full_disk;
mod grafana;
mod ha_real;
mod history_real;
mod inbound;
mod inplace;
mod inventory_testbed;
mod job_lives;
mod kafka_testbed;
mod killed_fifty_times;
mod kube_real;
mod kube_testbed;
mod links;
mod lists;
mod mail_recipients;
mod mail_threads;
mod main_road;
mod mutations;
mod mute_interval;
mod named_metrics;
mod open_files;
mod operate;
mod operator_real;
mod readme;
mod reload;
mod replay;
mod reports;
mod restart_bed;
mod restart_faults_real;
mod restart_flink_real;
mod restart_proxy_real;
mod restart_real;
mod restarts;
mod robots;
mod rule_reference;
mod rules_test;
mod scenarios;
mod schedules;
mod sql_gateway;
mod sql_gateway_real;
mod sql_real;
mod standins;
mod stores_testbed;
mod storm;
mod story;
mod taskmanager_killed;
mod twins;
mod vendor_faults;
mod web_api;
mod yarn_real;
mod yarn_restart_real;
mod yarn_testbed;

/// The program under test.
fn binary() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_weir"))
}
