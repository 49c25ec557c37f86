//! Who is told, each as badly behaved as its kind: three with an idempotency key, one without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::faults::Fault;
use crate::testbed::feishu::{self, Bot, Feishu};
use crate::testbed::feishu_app::FeishuApp;
use crate::testbed::pagerduty::PagerDuty;
use crate::testbed::robot::Robot;
use crate::testbed::webhook::{Webhook, WebhookOptions};

const KEY: &str = "0123456789abcdef0123456789abcdef";

pub(super) struct Channels {
    /// Knows a repeat by its `Idempotency-Key`.
    pub(super) hook: Arc<Webhook>,
    /// Knows none, and misbehaves most.
    bot: Feishu,
    /// Knows a repeat by its `uuid`.
    app: FeishuApp,
    /// Knows a repeat by its `dedup_key`.
    pager: Robot<PagerDuty>,
}

impl Channels {
    pub(super) async fn start(seed: u64, persist: &Path) -> Result<Channels> {
        let options =
            WebhookOptions { persist: Some(persist.to_owned()), ..WebhookOptions::default() };
        let hook = Arc::new(Webhook::start(options).await?);
        let mild = [(50, Fault::status(503)), (50, Fault::AcceptThenDrop)];
        hook.faults().shares(seed, &mild);
        let bot = Feishu::start([Bot::new("bot")]).await?;
        bot.faults().shares(
            seed,
            &[
                (200, Fault::code(feishu::FREQUENCY_LIMITED, "frequency limited")),
                (50, Fault::status(503)),
                (50, Fault::AcceptThenDrop),
            ],
        );
        let app = FeishuApp::start("cli_1", "s3cret", &["oc_1"]).await?;
        app.faults().shares(seed ^ 1, &mild);
        let pager = PagerDuty::start(KEY).await?;
        pager.faults().shares(seed ^ 2, &mild);
        Ok(Channels { hook, bot, app, pager })
    }

    /// The section of the configuration.
    pub(super) fn section(&self) -> String {
        format!(
            r#"receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
      - feishu_bot: {{ url: "{}" }}
      - feishu_app: {{ app_id: cli_1, app_secret: s3cret, chat_id: oc_1, base_url: "{}", edit_every: 1s }}
      - pagerduty: {{ url: "{}", routing_key: {KEY}, budget: {{ messages: 110, per: 1m }} }}
"#,
            self.hook.url(),
            self.bot.url("bot"),
            self.app.url(),
            self.pager.url("")
        )
    }

    /// What those besides the webhook have of all that was said; the figures in words.
    pub(super) fn judge(
        &self,
        messages: &[Value],
        incidents: &BTreeSet<u64>,
        kills: usize,
    ) -> Result<String> {
        Ok(format!(
            "{}; {}; {}",
            self.without_a_key(messages, kills)?,
            self.cards_in_place(incidents)?,
            self.pages(incidents)?
        ))
    }

    /// Each repeat is a second card.
    fn without_a_key(&self, messages: &[Value], kills: usize) -> Result<String> {
        let cards = messages.iter().filter(|m| m["channel"] == "feishu_bot").count();
        let arrived = self.bot.accepted();
        let lost = arrived.iter().filter(|r| r.fault == Some(Fault::AcceptThenDrop)).count();
        let doubled = arrived.len().checked_sub(cards).context("a card is missing")?;
        ensure!(doubled <= kills + lost, "{doubled} doubled, {lost} answers lost");
        Ok(format!(
            "bot without one: {} requests, {cards} cards, {doubled} doubled ({lost} answers lost)",
            self.bot.received().len()
        ))
    }

    /// One card for each incident, green in the end, however often it was sent.
    fn cards_in_place(&self, incidents: &BTreeSet<u64>) -> Result<String> {
        let chat = self.app.chat();
        let mut shown: BTreeMap<u64, usize> = BTreeMap::new();
        for card in &chat {
            let title = card.titles.last().map_or("", String::as_str);
            ensure!(card.colour() == "green", "still {}: {title}", card.colour());
            let number = title.rsplit_once('#').and_then(|(_, n)| n.trim().parse().ok());
            *shown.entry(number.with_context(|| format!("no number in {title}"))?).or_default() +=
                1;
        }
        let known: BTreeSet<u64> = shown.keys().copied().collect();
        ensure!(known == *incidents, "cards of {known:?}, incidents {incidents:?}");
        let doubled = chat.len() - known.len();
        ensure!(doubled == 0, "{doubled} cards doubled: {shown:?}");
        ensure!(self.app.replies().is_empty(), "nothing got worse: {:?}", self.app.replies());
        let requests = self.app.requests();
        let absorbed = requests.iter().filter(|r| r.absorbed).count();
        let edits: usize = chat.iter().map(|card| card.edits).sum();
        Ok(format!(
            "app with a uuid: {} cards, {edits} edits, {absorbed} repeats absorbed, 0 doubled",
            chat.len()
        ))
    }

    /// One alert for each incident, opened once and closed in the end.
    fn pages(&self, incidents: &BTreeSet<u64>) -> Result<String> {
        let alerts = self.pager.vendor().alerts();
        let open = self.pager.vendor().open();
        ensure!(open.is_empty(), "alerts are open for ever: {open:?}");
        let again = alerts.iter().find(|(_, of_key)| of_key.len() != 1);
        ensure!(again.is_none(), "an alert was opened again or never: {again:?}");
        let events = self.pager.accepted().len();
        // Where its budget was used up, several were opened as one.
        ensure!(alerts.len() <= incidents.len(), "{} of {}", alerts.len(), incidents.len());
        let repeats: usize = alerts.values().flatten().map(|alert| alert.triggers - 1).sum();
        Ok(format!(
            "pager with a dedup key: {events} events, {} alerts, {repeats} openings repeated, 0 \
             doubled",
            alerts.len()
        ))
    }
}
