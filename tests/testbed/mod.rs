//! The test bed: real components, started on loopback and gone with the test.
//!
//! Shared by the integration tests, the demo and the bench, each of which uses a part of it.

pub(crate) mod cache;
pub(crate) mod control;
pub(crate) mod download;
pub(crate) mod flink;
pub(crate) mod flink_conf;
pub(crate) mod http;
pub(crate) mod job;
pub(crate) mod process;
pub(crate) mod python;
pub(crate) mod rest;
pub(crate) mod time;
pub(crate) mod tools;
