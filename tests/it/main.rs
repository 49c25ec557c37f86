//! Tests against real components and strict stand-ins, in one binary: linking is the slow part.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../testbed/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "each binary uses a part of the test bed")]
mod testbed;

mod architecture;
mod flink_source;
mod flink_testbed;
mod grafana;
mod main_road;
mod readme;
mod standins;
mod story;
mod web_api;
