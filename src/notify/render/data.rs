//! What templates see.

use serde::Serialize;

use super::summary::SummaryData;

/// One message. Every field is always there; what is not known is null or empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageData {
    /// `incident`, `group`, `digest`, `storm`, `first_look`, `summary` or `test`.
    pub kind: &'static str,
    /// `en` or `zh`.
    pub language: &'static str,
    /// Receiver's name.
    pub receiver: String,
    /// The whole title, one line.
    pub title: String,
    /// What stands before the list; null for a single incident.
    pub intro: Option<String>,
    /// It is about exactly one incident, which is told in full.
    pub single: bool,
    /// The root cause most of a list have in common: `58 of 60: …`; said once, not per item.
    pub common_cause: Option<String>,
    /// The named items, most important first.
    pub items: Vec<ItemData>,
    /// Items in all.
    pub count: usize,
    /// Items that are only counted.
    pub more: usize,
    /// `…and 57 more`; null when all are named.
    pub more_line: Option<String>,
    /// Highest severity of what is not over: `critical`, `warning`, `info`; null when all is over.
    pub severity: Option<&'static str>,
    /// Everything in it is over.
    pub all_over: bool,
    /// What a summary says; null in any other kind.
    pub summary: Option<SummaryData>,
    /// When it was written, in the receiver's zone.
    pub now: String,
    /// Weir's page with the incidents; null without `external_url`.
    pub page_url: Option<String>,
    /// Last line, with the word bots may demand: `Weir alert · 11-21 03:30 +08:00 · platform`.
    pub footer: String,
}

impl MessageData {
    /// What is said when no template works: an ugly message beats none.
    pub fn fallback(&self) -> String {
        let mut lines = vec![self.title.clone()];
        if !self.single {
            lines.extend(self.items.iter().map(|item| item.title.clone()));
        }
        lines.extend(self.intro.clone().filter(|_| self.summary.is_some()));
        lines.extend(self.more_line.clone());
        lines.push(self.footer.clone());
        lines.join("\n")
    }
}

/// One incident in a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemData {
    /// Number of the incident.
    pub id: u64,
    /// `#128`.
    pub number: String,
    /// Why it is news: `opened`, `worse`, `reopened`, `flapping`, `repeat`, `escalated`, `resolved`,
    /// `first_look`.
    pub reason: &'static str,
    /// Why it is news in words, where the headline does not say it.
    pub reason_text: Option<String>,
    /// It is over.
    pub over: bool,
    /// It is over because it is healthy again.
    pub recovered: bool,
    /// `critical`, `warning` or `info`.
    pub severity: &'static str,
    /// What the title starts with: `CRITICAL`, `紧急`, `RECOVERED`, `恢复`, …
    pub tag: String,
    /// The whole title, one line.
    pub title: String,
    /// Name of the job, the cluster, the channel …
    pub name: String,
    /// `job`, `cluster`, `source`, `channel` or `external`.
    pub subject: &'static str,
    /// It was sent from outside, by Prometheus say: nothing of Flink is known of it.
    pub outside: bool,
    /// Key of the job, or of the watched job an alert from outside names; null for anything else.
    pub job: Option<String>,
    /// The cluster label.
    pub cluster: Option<String>,
    /// The namespace label.
    pub namespace: Option<String>,
    /// `keeps failing · 4 in 30 min`, from the worst alert.
    pub headline: String,
    /// `12 jobs (a, b, c …)`: what it mutes while it is open; null where that is nothing.
    pub affected: Option<String>,
    /// What to look at first, from the worst alert's description.
    pub first_step: Option<String>,
    /// Name of the worst alert.
    pub rule: String,
    /// `failure`, `checkpoints`, `lag`, …
    pub aspect: String,
    /// State word of the job when last seen.
    pub state: String,
    /// The job is dead for good: no retry will follow.
    pub given_up: bool,
    /// Exception class and message, one line.
    pub root_cause: Option<String>,
    /// First frame in the user's own code.
    pub frame: Option<String>,
    /// Which task broke.
    pub task: Option<String>,
    /// Where it broke.
    pub taskmanager: Option<String>,
    /// `11-21 03:12 +08:00, 18 min ago`.
    pub since: String,
    /// How long it has lasted or took.
    pub duration: String,
    /// Distinct failures so far.
    pub occurrences: u64,
    /// `failed 4 times`; null where nothing is counted.
    pub occurrences_text: Option<String>,
    /// The last checkpoint and whether one can restore from it; null where it is not about a job.
    pub checkpoint: Option<String>,
    /// Its path.
    pub checkpoint_path: Option<String>,
    /// There is one to restore from.
    pub restorable: bool,
    /// Who has it, and since when: `ann, 11-21 03:20 +08:00`; null where nobody has it or it is over.
    pub acknowledged: Option<String>,
    /// What is being done about it; when it is over, what Weir did, else null.
    pub action: Option<String>,
    /// The owner label.
    pub owner: Option<String>,
    /// The team label.
    pub team: Option<String>,
    /// How it ended.
    pub end_text: Option<String>,
    /// What the healthy run was restored from.
    pub restored_from: Option<String>,
    /// Flink's UI, or where an alert from outside comes from; a checked web address.
    pub ui_url: Option<String>,
    /// The incident on Weir's page; a checked web address.
    pub page_url: Option<String>,
    /// Where it can be acknowledged once, without a token; a checked web address. A secret: it is for
    /// the receiver only.
    pub ack_url: Option<String>,
    /// Where a restart that waits for it can be approved or declined once; a secret like it.
    pub approve_url: Option<String>,
}
