//! All integration tests in one binary: linking is the slow part.

mod grafana;
mod web_api;
