//! The test bed: real components, started on loopback and gone with the test, and stand-ins that
//! refuse what the real thing refuses.
//!
//! Shared by the integration tests, the demo and the bench, each of which uses a part of it.

pub(crate) mod alertmanager;
pub(crate) mod austin;
pub(crate) mod cache;
pub(crate) mod control;
pub(crate) mod debian;
pub(crate) mod dingtalk;
pub(crate) mod download;
pub(crate) mod faults;
pub(crate) mod feishu;
pub(crate) mod feishu_app;
pub(crate) mod fleet;
pub(crate) mod flink;
pub(crate) mod flink_conf;
pub(crate) mod flink_ha;
pub(crate) mod flink_history;
pub(crate) mod go;
pub(crate) mod http;
pub(crate) mod inbox;
pub(crate) mod job;
pub(crate) mod kafka;
pub(crate) mod kube;
pub(crate) mod mariadb;
pub(crate) mod maven;
pub(crate) mod net;
pub(crate) mod pagerduty;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod redis;
pub(crate) mod rest;
pub(crate) mod robot;
pub(crate) mod s3;
pub(crate) mod slack;
pub(crate) mod smtp;
pub(crate) mod smtp_env;
pub(crate) mod sql_gateway;
pub(crate) mod story;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod tools;
pub(crate) mod webhook;
pub(crate) mod wecom;
pub(crate) mod weir;
pub(crate) mod yarn;
pub(crate) mod yarn_standin;
pub(crate) mod zookeeper;
