//! All integration tests in one binary: linking is the slow part.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod grafana;
mod web_api;
