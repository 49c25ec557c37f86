//! What stands between Alertmanager and a bot, since it knows none: each webhook becomes a card with
//! Alertmanager's own default text, as the usual relays do it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::testbed::http;
use crate::testbed::webhook::Webhook;

/// Looks for webhooks so often.
const EVERY: Duration = Duration::from_millis(20);

/// Passes on what arrives from now on.
pub(crate) fn start(hook: Arc<Webhook>, bot: String) -> JoinHandle<()> {
    let client = http::client();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        let mut done = 0;
        loop {
            ticks.tick().await;
            for one in hook.accepted().into_iter().skip(done) {
                done += 1;
                let card = card(&one.body());
                // The bot's verdict is in its own record; a lost line would be seen there.
                client.post(&bot).json(&card).send().await.ok();
            }
        }
    })
}

fn card(body: &Value) -> Value {
    let alerts = body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let firing = alerts.iter().filter(|a| a["status"] == "firing").count();
    let status = if firing > 0 { format!("FIRING:{firing}") } else { "RESOLVED".to_owned() };
    let group = &body["groupLabels"];
    let word = |name: &str| group[name].as_str().unwrap_or_default().to_owned();
    let title = format!("[{status}] {} {}", word("alertname"), word("cluster"));
    let mut text = String::new();
    for (heading, state) in [("Alerts Firing:", "firing"), ("Alerts Resolved:", "resolved")] {
        let of: Vec<&Value> = alerts.iter().filter(|a| a["status"] == state).collect();
        if of.is_empty() {
            continue;
        }
        writeln!(text, "{heading}").ok();
        for alert in of {
            list(&mut text, "Labels:", &alert["labels"]);
            list(&mut text, "Annotations:", &alert["annotations"]);
            let source = alert["generatorURL"].as_str().unwrap_or_default();
            writeln!(text, "Source: {source}").ok();
        }
    }
    json!({"msg_type": "interactive", "card": {
        "config": {"wide_screen_mode": true},
        "header": {"title": {"tag": "plain_text", "content": title}},
        "elements": [{"tag": "markdown", "content": text}],
    }})
}

fn list(text: &mut String, heading: &str, values: &Value) {
    writeln!(text, "{heading}").ok();
    for (name, value) in values.as_object().into_iter().flatten() {
        writeln!(text, " - {name} = {}", value.as_str().unwrap_or_default()).ok();
    }
}
