//! Weir: a monitoring and alerting sidecar for Apache Flink. This page is the map.
//!
//! # The flow
//!
//! ```text
//!  sources ──Snapshot──▶ tracker ──facts──▶ rules ──alerts──▶ incidents ──notices──▶ notify ──messages──▶ channels
//!  flink, yarn, k8s      runs, history,     when/for/         one episode,           group, repeat,       chats: feishu, slack,
//!     ▲                  windows, distinct  keep_firing_for   causality, flap        escalate, budget,      dingtalk, wecom; email;
//!     │                  failures              │                 ▲                   digest, storm        pagers, webhooks, programs
//!     └───────────────── Demand ◀──────────────┘                 │
//!                        commands of people, alerts of others ───┘  store: all of it, committed before any effect
//!                        (page, CLI, links in messages, /api/v2)    web, metrics: the immutable View of the last step
//!
//!  what fires and is dead ──▶ actions ──errands──▶ drivers (flink_jar, flink_operator, …), stores (is the checkpoint there?)
//!                                ▲────what they tell────┘
//! ```
//!
//! A functional core in an async shell. [`engine::Engine::step`] is synchronous, deterministic and
//! does no I/O: it takes the time and an [`engine::Input`] (a snapshot, a deadline, the result of a
//! delivery, what a driver tells) and returns [`engine::Effect`]s: persist, send, act, publish, wake
//! me then. [`engine::Shell`] performs them and is the only loop. It commits what is to persist before
//! any other effect of that step, and before the next step; sends and acts are spawned, never awaited.
//!
//! Two times run through everything ([`model::Time`]): `steady` drives what lasts (`for`,
//! grouping, budgets, back-off), `wall` is for people. Only [`clock`] asks for "now".
//!
//! # Who may import whom
//!
//! | layer | modules | may use |
//! | --- | --- | --- |
//! | nouns | [`model`], [`clock`] | each other |
//! | decisions | [`tracker`] → [`rules`] → [`incidents`] → [`notify`] and [`actions`], `engine::step` | nouns, and those to the left |
//! | history | [`journal`] (how a step's inputs are coded) | nouns |
//! | edges | [`sources`], `notify::channels`, [`actions::drivers`], [`actions::stores`], [`store`], [`http`], [`program`] | nouns, `http` and `program`, never each other |
//! | shell | `engine::run`, [`web`], [`metrics`], [`replay`], [`story`] | all of the above |
//! | root | [`app`], [`lifecycle`], [`cli`] | everything |
//!
//! [`config`] reads what each part declares beside itself. Decisions never touch tokio, reqwest,
//! sqlx, governor or the clock. `tests/it/architecture.rs` reads `src/` and enforces the table.
//!
//! # How to add
//!
//! - **a condition**: `rules/kinds/<kind>.rs` with a type that implements `Kind`, and its line in
//!   `rule_kinds!` of `rules/kinds/mod.rs`. If it needs a fact nobody fetches yet, a field of
//!   [`model::Demand`].
//! - **a channel**: `notify/channels/<channel>.rs` with a `Config` that implements `Settings`, its
//!   line in `channels!` of `notify/channels/mod.rs`, and `templates/<channel>/{en,zh}/`.
//! - **a source**: `sources/<source>/` with a type that implements [`sources::Source`] by pure
//!   functions from wire types to observations, a config that implements `sources::Settings`, and
//!   its line in `sources!` of `sources/mod.rs`.
//! - **a restart driver**: `actions/drivers/<driver>.rs` with a `Config` that implements `Settings`
//!   and a type that implements [`actions::drivers::Driver`], and its `mod` and line in `drivers!` of
//!   `actions/drivers/mod.rs`. What the core has to know of it are its `Traits`.
//! - **a command**: `cli/<command>.rs` with `Args` and `run`, and its line in `cli/mod.rs`.
//! - **a metric**: its line in `metrics/table.rs`, and where `metrics/build.rs` fills it.
//! - **a shipped rule**: in `rules/*.yaml` with its stories in `rules/*_test.yaml`, and in both
//!   READMEs, which a test compares.
//! - **a fact of a story**: its key in `story/raw.rs`, and where `story/job.rs` or `story/world.rs`
//!   shows it.
//!
//! # One failing job, step by step
//!
//! 1. `app::poller` asks `sources::flink` for a look. It fetches what [`model::Demand`] says and
//!    nothing else, and turns wire types into a [`model::Snapshot`]: complete, partial or failed.
//! 2. [`tracker`] folds it into the job's runs. The exception history shows an entry not seen
//!    before: one distinct failure. Restart counter and restored checkpoints are further
//!    witnesses of failures between two looks; none is counted twice.
//! 3. [`rules`] judges every rule on the new facts. With the third failure `failure_rate` is true;
//!    the alert is pending for `for`, then firing, with its evidence.
//! 4. [`incidents`] finds no open incident for (job, `failure`), opens one with root cause and last
//!    checkpoint, and says that this is news. When Flink gives up, `JobFailed` joins as a member:
//!    the same incident, `worse`.
//! 5. [`notify`] routes the news: one notice per channel of the receiver. They wait for
//!    `group_wait`, then for a free place in the budget of the endpoint; what is due is composed
//!    into a message whose bytes are frozen now.
//! 6. The step returns persist (incident, notices, message) and send. The shell commits, then
//!    spawns the send. The channel answers; its result is the next input, and the notices end as
//!    `sent`, or the message is due again later with the same bytes.
//! 7. Somebody starts the job again: a new run under the old key. It is RUNNING with all tasks and
//!    quiet for `resolve_after`: the incident resolves, and exactly those who were told hear of it.
//!
//! # One restart, step by step
//!
//! 1. `JobFailed` fires, the entry of the configuration that is about the job restarts on it, and
//!    every guard of `actions::guards` is asked. What none of them holds becomes a row,
//!    [`model::Restart`]: planned, or waiting for approval, with the handle of the new run. The incident
//!    says what will be done and when.
//! 2. At its time the guards are asked again. [`tracker`]'s ledger names what the job can go on from,
//!    best first; [`actions::stores`] look whether it is there (an errand, whose answer is the next
//!    input).
//! 3. The row is *submitted*, with the path. The shell commits it, and only then has the driver start
//!    the run. The driver reads the proof of death once more, and sends one order.
//! 4. Taken: the row is *running*, and `actions::verify` watches the new run in the looks that follow.
//!    All its tasks run, it began with the right path, it completed a checkpoint: *verified*. Else
//!    *failed*, with the reason, and the incident, which is still open, leads to the next attempt.
//! 5. What cannot be told is looked up by the handle, and ordered again only by the same handle, for
//!    ten minutes; after that it is *unknown*, and a person is told.
//!
//! # An alert from outside
//!
//! `web::v2` takes it as Alertmanager would and gives it to the loop as a command. What is known
//! already is left out before the step; `incidents::inbound` keeps what fires and until when, and
//! makes of it what a firing rule is to an incident. From there on it goes the same way.
//!
//! # Another configuration
//!
//! `app::reload` reads and builds everything new beside what runs; with any mistake it stays at
//! that. Else one [`engine::Input::Reload`] goes through one step, each part taking its own; the
//! shell commits, changes the channels, and only then are pollers started and stopped.
//!
//! # kill -9
//!
//! Between commit and send: the message is in the store as due, and sent after the start. While the
//! send is in flight: nobody knows whether it arrived, so it is repeated with the same idempotency
//! key. Before the commit: nothing was sent; the next look sees the same facts and decides the
//! same. [`store::Store::load`] rebuilds tracker, incidents and what was told to whom; steady time
//! goes on from where it was, so holds and budgets do not start anew.
//!
//! The same holds for a restart: before the commit of *submitted* nothing was ordered; after it the
//! order may have been given, so that the start looks for the run by its handle before anything else.
//! A second order bears the same handle, which Flink (or the mark on the resource) refuses; a driver
//! without one gives none.
pub mod actions;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod http;
pub mod incidents;
pub mod journal;
pub mod lifecycle;
pub mod metrics;
pub mod model;
pub mod notify;
pub mod program;
pub mod replay;
pub mod rules;
pub mod sources;
pub mod store;
pub mod story;
pub mod tracker;
pub mod web;
pub mod yaml;
