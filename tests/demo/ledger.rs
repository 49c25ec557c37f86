//! What came in beside what went out, as numbers and as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::stage::Stage;
use crate::testbed::feishu::Received;

/// What the jobs and Flink themselves say: the ground truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) failures: usize,
    pub(crate) failed_checkpoints: u64,
    pub(crate) backlog: u64,
}

impl Truth {
    fn text(self) -> String {
        format!(
            "{} failures and {} failed checkpoints seen, {} records behind",
            self.failures, self.failed_checkpoints, self.backlog
        )
    }
}

/// What Weir knows and did.
#[derive(Debug, Default)]
pub(crate) struct Account {
    incidents: Vec<Value>,
    /// By incident: what was told of it through the Feishu bot.
    told: BTreeMap<u64, Vec<String>>,
    failures: u64,
    /// Restarts by Weir that were verified.
    restarts: u64,
    pub(crate) cards: usize,
    pub(crate) mails: usize,
}

impl Account {
    /// Asks Weir; what cannot be asked stays empty.
    pub(crate) async fn of(stage: &Stage) -> Account {
        let weir = &stage.weir;
        let list = |answer: Option<Value>| -> Vec<Value> {
            answer.and_then(|a| a.as_array().cloned()).unwrap_or_default()
        };
        let mut incidents = list(weir.get("/api/v1/incidents").await.ok());
        incidents.reverse();
        let mut notices = list(weir.get("/api/v1/notices").await.ok());
        notices.reverse();
        let mut told: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for notice in &notices {
            if let Some(incident) = notice["incident"].as_u64()
                && notice["channel"] == "feishu_bot"
                && notice["outcome"] == "sent"
            {
                let reason = notice["reason"].as_str().unwrap_or_default().to_owned();
                told.entry(incident).or_default().push(reason);
            }
        }
        let metrics = weir.text("/metrics").await.unwrap_or_default();
        let number = |series: &str| {
            let value = metrics.lines().find_map(|line| line.strip_prefix(series));
            value.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
        };
        Account {
            incidents,
            told,
            failures: number("weir_failures_seen_total "),
            restarts: number("weir_restarts_total{outcome=\"verified\"} "),
            cards: stage.feishu().accepted().len(),
            mails: stage.smtp().mails().len(),
        }
    }

    /// `8 failures … → 3 incidents → 4 messages`.
    pub(crate) fn line(&self, truth: Truth) -> String {
        format!(
            "{} → {} incidents → {} messages (each a card and a mail)",
            truth.text(),
            self.incidents.len(),
            self.cards.max(self.mails)
        )
    }

    /// How it stands, or stood at the end.
    pub(crate) fn table(&self, truth: Truth) -> String {
        let mut text = format!("\nIN   {}\n", truth.text());
        write!(text, "     Weir counted {} failures\n\n", self.failures).ok();
        let restarts = self.restarts;
        write!(text, "DONE {restarts} restart from the last checkpoint, verified\n\nOUT  ").ok();
        let count = self.incidents.len();
        write!(text, "{count} incidents, {} cards, {} mails\n\n", self.cards, self.mails).ok();
        for incident in &self.incidents {
            let id = incident["id"].as_u64().unwrap_or(0);
            let told = self.told.get(&id).map(|t| t.join(", ")).unwrap_or_default();
            let word = |key: &str| incident[key].as_str().unwrap_or_default().to_owned();
            writeln!(text, "  #{id:<3} {:<44} {:<9} told: {told}", word("title"), word("state"))
                .ok();
        }
        write!(text, "\n{}", self.line(truth)).ok();
        text
    }
}

/// A card as people see it: without the marks that make it look good.
pub(crate) fn card(received: &Received) -> Vec<String> {
    let text = received.text();
    let mut buttons = Vec::new();
    if let Some(body) = &received.body {
        labels_of_buttons(body, &mut buttons);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| if buttons.contains(&line) { format!("[ {line} ]") } else { plain(line) })
        .collect()
}

fn labels_of_buttons<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| labels_of_buttons(item, found)),
        Value::Object(map) => {
            if map.get("tag").is_some_and(|tag| tag == "button") {
                found.extend(value["text"]["content"].as_str());
            }
            map.values().for_each(|inner| labels_of_buttons(inner, found));
        }
        _ => {}
    }
}

/// Markdown and its escapes taken away.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("&#") {
        text.push_str(before);
        let code = after
            .split_once(';')
            .and_then(|(number, tail)| Some((char::from_u32(number.parse().ok()?)?, tail)));
        if let Some((character, tail)) = code {
            text.push(character);
            rest = tail;
        } else {
            text.push_str("&#");
            rest = after;
        }
    }
    text.push_str(rest);
    text.replace("**", "")
}
