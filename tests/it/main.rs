//! Integration tests: one binary, because linking is the slow part.

#[expect(dead_code, unreachable_pub, reason = "each binary uses a part of the test bed")]
#[path = "../testbed/mod.rs"]
mod testbed;

mod standins;
