//! Why there is no notice: the nearest reason, from the routes to the rules. A question about the
//! state, which it leaves as it is.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::Engine;
use super::explain::{Answer, Explanation, Question};
use super::find::{self, NotFound};
use crate::model::{Incident, JobKey, Labels, Severity, Time, Truth};
use crate::notify::Language;
use crate::notify::render::escape::line;
use crate::notify::render::{age, words::pick};
use crate::rules::Standing;

/// Rules looked at for one answer: what fires and what is pending comes first.
const LOOKED_AT: usize = 20;
/// Rules that are not true named at most.
const NEAREST: usize = 3;

/// About what somebody heard nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhyQuestion {
    /// Any unambiguous part of a job's key.
    pub job: Option<String>,
    /// Name of a receiver.
    pub receiver: Option<String>,
    /// `alert`, `group/alert` or `group/alert/severity`.
    pub rule: Option<String>,
    /// Language of the answer.
    pub language: Language,
    /// Zone of the hours in it; none: UTC.
    pub zone: Option<TimeZone>,
}

/// What is nearest to a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyAnswer {
    /// When it was asked.
    pub at: Time,
    /// Key of the job that was meant.
    pub job: Option<String>,
    /// The nearest first.
    pub reasons: Vec<String>,
}

impl Engine {
    /// Why there is no notice about what is asked for.
    ///
    /// # Errors
    /// When no job, rule or receiver is named so, or more than one job is.
    pub fn why(&self, time: Time, question: &WhyQuestion) -> Result<WhyAnswer, NotFound> {
        let receivers = &self.pipeline().settings().receivers;
        if let Some(name) = question.receiver.as_ref().filter(|name| !receivers.contains_key(*name))
        {
            let names: Vec<&str> = receivers.keys().map(String::as_str).collect();
            return Err(find::no_receiver(name, &names));
        }
        let job = question.job.as_deref().map(|typed| self.find_job(typed)).transpose()?;
        let (job_key, rule) = (job.as_ref().map(|key| key.0.clone()), question.rule.clone());
        let asked = Question { job: job_key.clone(), source: None, rule, limit: LOOKED_AT };
        let answer = self.explain(time, &asked)?;
        let zone = question.zone.clone().unwrap_or(TimeZone::UTC);
        let language = question.language;
        let mut why = Reasons { engine: self, time, language, zone, said: Vec::new() };
        why.sources(job.as_ref());
        why.rules(&answer);
        why.routes(job.as_ref(), &answer, question.receiver.as_deref());
        Ok(WhyAnswer { at: time, job: job_key, reasons: why.said })
    }
}

struct Reasons<'a> {
    engine: &'a Engine,
    time: Time,
    language: Language,
    zone: TimeZone,
    said: Vec<String>,
}

impl Reasons<'_> {
    fn say(&mut self, en: String, zh: String) {
        let said = pick(self.language, en, zh);
        if !self.said.contains(&said) {
            self.said.push(said);
        }
    }

    fn span(&self, span: std::time::Duration) -> String {
        age(self.language, span)
    }

    /// Whether Weir sees at all what it is asked about.
    fn sources(&mut self, job: Option<&JobKey>) {
        let tracker = self.engine.tracker();
        let of_job = job.and_then(|key| tracker.job(key)).map(|job| job.source.clone());
        let names = self.engine.settings.sources.keys();
        let names: Vec<String> =
            names.filter(|name| of_job.as_ref().is_none_or(|of| of == *name)).cloned().collect();
        for name in names {
            let source = tracker.source(&name);
            let name = line(&name);
            if source.is_none_or(|s| s.first_look.is_none()) {
                self.say(
                    format!("Weir has not looked at {name} yet: nothing is judged before that"),
                    format!("Weir 尚未完成对 {name} 的首次巡检，在此之前不做判断"),
                );
            } else if let Some(since) = source.and_then(|s| s.failing_since) {
                let span = self.span(self.time.steady.since(since.steady));
                self.say(
                    format!("Weir cannot reach {name} ({span}): its jobs are unknown, not failed"),
                    format!("Weir 无法访问 {name}（{span}），其作业状态未知，并非失败"),
                );
            }
        }
    }

    fn rules(&mut self, answer: &Answer) {
        let mut named = 0;
        for explanation in &answer.explanations {
            match explanation.reason.standing {
                Standing::Firing { .. } => self.firing(explanation),
                Standing::Pending { since, fires_at } => {
                    let held = self.span(self.time.steady.since(since));
                    let of = self.span(explanation.hold);
                    let (rule, subject) = names(explanation);
                    let known = if fires_at.is_some() {
                        String::new()
                    } else {
                        pick(self.language, ", and is unknown now", "，且目前未知").to_owned()
                    };
                    self.say(
                        format!("{rule} is pending for {subject}: {held} of {of}{known}"),
                        format!("{subject} 的 {rule} 待触发：{held} / {of}{known}"),
                    );
                }
                Standing::Inactive if named < NEAREST && is_near(explanation) => {
                    named += 1;
                    self.not_true(explanation);
                }
                Standing::Inactive => {}
            }
        }
        if answer.counts.firing + answer.counts.pending == 0 {
            let first = pick(self.language, "no rule matched", "没有规则匹配").to_owned();
            self.said.insert(self.said.len() - named.min(self.said.len()), first);
        }
    }

    fn not_true(&mut self, explanation: &Explanation) {
        let reason = &explanation.reason;
        let (rule, subject) = names(explanation);
        let words = line(&reason.why.words);
        let near = reason.why.near.map_or_else(String::new, |near| {
            // Not there yet is never 100 %.
            format!(" ({} %)", ((near * 100.0).floor() as i64).clamp(0, 99))
        });
        let (en, zh) = match reason.truth {
            Truth::Unknown => ("is unknown", "状态未知"),
            Truth::True => ("has just become true", "刚刚满足条件"),
            _ => ("is not true", "未满足条件"),
        };
        let why = if words.is_empty() { String::new() } else { format!(": {words}") };
        self.say(
            format!("nearest: {rule} {en} for {subject}{near}{why}"),
            format!("最接近：{subject} 的 {rule} {zh}{near}{}", why.replacen(": ", "：", 1)),
        );
    }

    fn firing(&mut self, explanation: &Explanation) {
        let (rule, subject) = names(explanation);
        let incident = explanation.incident.and_then(|of| self.engine.incidents().get(of.id));
        let Some(incident) = incident else {
            self.say(
                format!("{rule} fires for {subject}, and its incident begins with the next look"),
                format!("{subject} 的 {rule} 已触发，下次巡检时生成告警"),
            );
            return;
        };
        let id = incident.id;
        self.say(
            format!("{rule} fires for {subject}: incident #{id}"),
            format!("{subject} 的 {rule} 已触发：告警 #{id}"),
        );
        self.held(incident);
    }

    /// What keeps an open incident's news.
    fn held(&mut self, incident: &Incident) {
        let id = incident.id;
        if let Some(root) = incident.inhibited_by {
            self.say(
                format!("#{id} is inhibited by #{root}, which explains it"),
                format!("#{id} 被 #{root} 抑制，后者是其根因"),
            );
        }
        if incident.first_look {
            self.say(
                format!("#{id} was there at the first look: it is in the first report only"),
                format!("#{id} 在首次巡检时已存在，只出现在首次巡检报告中"),
            );
        }
        if incident.flapping {
            self.say(
                format!("#{id} comes and goes: nothing more is said until it settles"),
                format!("#{id} 时好时坏，稳定前不再提醒"),
            );
        }
        let held: BTreeSet<&str> = self.engine.pipeline().held(id).collect();
        for by in held {
            let by = crate::notify::render::held_words(self.language, by, &self.zone);
            self.say(
                format!("news of #{id} are held back: {by}"),
                format!("#{id} 的通知暂缓：{by}"),
            );
        }
    }

    /// Who would hear of it.
    fn routes(&mut self, job: Option<&JobKey>, answer: &Answer, asked: Option<&str>) {
        let settings = self.engine.pipeline().settings();
        let mut to: BTreeSet<String> = BTreeSet::new();
        for labels in self.labels(job, answer) {
            let routes = settings.route.matching(&labels);
            to.extend(routes.into_iter().map(|route| route.receiver.clone()));
        }
        let list = to.iter().map(|name| line(name)).collect::<Vec<_>>().join(", ");
        let later = asked.and_then(|name| Some((name, self.escalated(job, answer, name)?)));
        if let Some((name, after)) = later.filter(|(name, _)| !to.contains(*name)) {
            let (name, span) = (line(name), self.span(after));
            self.say(
                format!("it is escalated to {name} after {span} without acknowledgement"),
                format!("{span}无人认领后才升级通知 {name}"),
            );
        } else if let Some(name) = asked
            && !to.is_empty()
            && !to.contains(name)
        {
            let name = line(name);
            self.say(
                format!("the routes send it to {list}, not to {name}"),
                format!("路由将其发送给 {list}，而不是 {name}"),
            );
        }
        let concerned: BTreeSet<&str> =
            asked.into_iter().chain(to.iter().map(String::as_str)).collect();
        for name in concerned {
            let Some(receiver) = settings.receivers.get(name) else { continue };
            let name = line(name);
            if receiver.channels.is_empty() {
                self.say(
                    format!("receiver {name} has no channels: its news are told to nobody"),
                    format!("接收者 {name} 没有渠道，告警不会通知任何人"),
                );
            } else if receiver.shadow {
                self.say(
                    format!("receiver {name} only records: its delivery is shadow"),
                    format!("接收者 {name} 只记录不发送：投递模式为 shadow"),
                );
            }
        }
        if asked.is_none() && !list.is_empty() {
            self.say(format!("the routes send it to {list}"), format!("路由将其发送给 {list}"));
        }
    }

    /// After how long it would be escalated to a receiver.
    fn escalated(
        &self,
        job: Option<&JobKey>,
        answer: &Answer,
        receiver: &str,
    ) -> Option<std::time::Duration> {
        let settings = self.engine.pipeline().settings();
        let labels = self.labels(job, answer);
        let ways = labels.iter().flat_map(|labels| settings.ways(labels, self.time.wall));
        let steps = ways.flat_map(|way| way.escalate).filter(|step| step.receiver == receiver);
        steps.map(|step| step.after).min()
    }

    /// Labels news would be routed by: of what fires, else of the job with any severity.
    fn labels(&self, job: Option<&JobKey>, answer: &Answer) -> Vec<Labels> {
        let fire = |e: &&Explanation| matches!(e.reason.standing, Standing::Firing { .. });
        let incidents = answer.explanations.iter().filter(fire).filter_map(|e| e.incident);
        let incidents = incidents.filter_map(|of| self.engine.incidents().get(of.id));
        let with = |labels: &Labels, severity: Severity| {
            let mut labels = labels.clone();
            labels.set("severity", severity.as_str());
            labels
        };
        let firing: Vec<Labels> = incidents.map(|i| with(&i.labels, i.severity)).collect();
        if !firing.is_empty() {
            return firing;
        }
        let Some(job) = job.and_then(|key| self.engine.tracker().job(key)) else {
            return Vec::new();
        };
        let labels = self.engine.rules().book().of_job(job);
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter().map(|severity| with(&labels, severity)).collect()
    }
}

/// Something to say about: not what cannot be.
fn is_near(explanation: &Explanation) -> bool {
    explanation.reason.truth != Truth::NotApplicable
        && (explanation.reason.why.near.is_some() || !explanation.reason.why.words.is_empty())
}

/// Rule and subject, harmless to print.
fn names(explanation: &Explanation) -> (String, String) {
    (line(&explanation.rule.alert), line(&explanation.subject.to_string()))
}

#[cfg(test)]
#[path = "why_tests.rs"]
mod tests;
