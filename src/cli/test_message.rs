//! `weir test-message RECEIVER`: does it arrive?

use std::sync::Arc;

use super::{ConfigFile, Failure, check, output};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::model::{Labels, Manner, Message, MessageKind, MessageState, SendOutcome};
use crate::notify::MessageView;
use crate::notify::channels::Parts;

/// Sends a test message.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the receiver in the configuration.
    receiver: String,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let checked = check::read(&args.file.config)?;
    crate::http::install_tls();
    let Some(plan) = checked.config.notify.receivers.get(&args.receiver) else {
        let known: Vec<&str> = checked.config.notify.receivers.keys().map(String::as_str).collect();
        output::complain(&format!(
            "error: no receiver is named `{}` (receivers: {})",
            args.receiver,
            known.join(", ")
        ));
        return Err(Failure::Refused);
    };
    let sink = Arc::new(|text: &str| output::say(text));
    let people = checked.config.mentions();
    let parts = Parts { templates: checked.templates, sink, people };
    let channels = app::channels(&checked.config, &parts)?;
    let time = SystemClock::anchored(None).now();
    let mut refused = false;
    for channel_plan in &plan.channels {
        let Some(channel) = channels.get(&channel_plan.id) else { continue };
        let key = format!("test-{}", time.wall.0);
        let view = MessageView {
            id: 0,
            installation: "test".to_owned(),
            key: key.clone(),
            kind: MessageKind::Test,
            receiver: plan.name.clone(),
            group_key: "test".to_owned(),
            group_labels: Labels::default(),
            language: plan.language,
            zone: plan.zone.clone(),
            now: time.wall,
            external_url: checked.config.notify.external_url.clone(),
            items: Vec::new(),
            jobs_watched: 0,
            is_reply: false,
            summary: None,
        };
        let composed = channel.composer().compose(&view);
        let message = Message {
            id: 0,
            to: channel_plan.id.clone(),
            endpoint: channel_plan.endpoint.clone(),
            channel_kind: channel_plan.kind.clone(),
            kind: MessageKind::Test,
            group: "test".to_owned(),
            notices: Vec::new(),
            named: 0,
            urgent: false,
            frozen: composed.frozen,
            state: MessageState::Due,
            at: time.wall,
            at_steady: time.steady,
            attempts: 1,
            next_attempt: None,
            done_at: None,
            manner: Manner::Fresh,
            receipt: None,
            print: 0,
            error: None,
        };
        match channel.send(&message, &key, time).await {
            SendOutcome::Delivered | SendOutcome::Accepted { .. } => {
                output::say(&format!("{}: accepted", channel_plan.id));
            }
            SendOutcome::Retry { error, .. } => {
                refused = true;
                output::say(&format!("{}: not now: {error}", channel_plan.id));
            }
            SendOutcome::Rejected { error } | SendOutcome::Gone { error } => {
                refused = true;
                output::say(&format!("{}: refused: {error}", channel_plan.id));
            }
        }
    }
    if plan.channels.is_empty() {
        output::complain(&format!("error: receiver `{}` has no channels", plan.name));
        return Err(Failure::Found);
    }
    if refused { Err(Failure::Found) } else { Ok(()) }
}
