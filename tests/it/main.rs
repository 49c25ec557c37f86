//! Tests against real components, in one binary: linking is the slow part.

#[path = "../testbed/mod.rs"]
#[expect(dead_code, reason = "the demo and the bench use the rest")]
mod testbed;

mod flink_testbed;
