//! Weir: a monitoring and alerting sidecar for Apache Flink.
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod http;
pub mod incidents;
pub mod lifecycle;
pub mod metrics;
pub mod model;
pub mod notify;
pub mod rules;
pub mod sources;
pub mod store;
pub mod tracker;
pub mod web;
pub mod yaml;
