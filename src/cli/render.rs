//! `weir render`: what a message looks like, before anybody gets it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::output::Words;
use super::remote::{Remote, Target};
use super::{Failure, check, output};
use crate::clock::{Clock, SystemClock};
use crate::config::{ChannelConfig, Config};
use crate::model::{ChannelId, Incident, Labels, MessageKind, NoticeReason};
use crate::notify::channels::Parts;
use crate::notify::render::{SAMPLES, Templates, sample};
use crate::notify::{Affected, ItemView, Known, Language, MessageView, ReceiverPlan, name_of};

/// Previews messages; nothing is sent.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir render                                      a sample, as the first receiver gets it
  weir render --sample storm --channel feishu_bot -o storm.json
  weir render --sample summary --language zh
  weir render --incident 12 --channel email -o mail.html
  weir render --template-dir templates/ --channel console

A mail can be written as .eml, .html and .txt, a card as .json and .txt.")]
pub(super) struct Args {
    /// An incident of a running weir.
    #[arg(long, value_name = "N", conflicts_with = "sample")]
    incident: Option<u64>,
    /// A sample: opened, worse, resolved, reopened, flapping, repeat, escalated, reply, edit, group,
    /// digest, storm, external, `first_look`, summary, quiet, test.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "opened")]
    sample: Option<String>,
    /// Why the incident is news: opened, worse, reopened, flapping, repeat, escalated. What is over
    /// is told as resolved.
    #[arg(long, value_name = "REASON", default_value = "opened", requires = "incident", value_parser = reason)]
    reason: NoticeReason,
    /// A channel by its name or kind; all of the receiver's if left out.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// As this receiver gets it; the root route's if left out.
    #[arg(long, value_name = "NAME")]
    receiver: Option<String>,
    /// Language; the receiver's if left out.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    language: Option<Words>,
    /// Folder of templates instead of the configuration's.
    #[arg(long, value_name = "DIR")]
    template_dir: Option<PathBuf>,
    /// File to write; its ending says which form.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

fn reason(text: &str) -> Result<NoticeReason, String> {
    let all = [
        NoticeReason::Opened,
        NoticeReason::Worse,
        NoticeReason::Reopened,
        NoticeReason::Flapping,
        NoticeReason::Repeat,
        NoticeReason::Escalated,
    ];
    let found = all.into_iter().find(|reason| reason.as_str() == text);
    found.ok_or_else(|| {
        "it is one of opened, worse, reopened, flapping, repeat, escalated".to_owned()
    })
}

/// A channel to look at, and how its receiver reads.
struct Shown {
    id: ChannelId,
    config: ChannelConfig,
    receiver: Option<ReceiverPlan>,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let (config, templates) = read(&args)?;
    let shown = channels(&args, config.as_ref())?;
    if args.out.is_some() && shown.len() > 1 {
        let names: Vec<&str> = shown.iter().map(|s| s.id.channel.as_str()).collect();
        let error = "error: a file holds one message: name a channel with --channel";
        output::complain(&format!("{error} ({})", names.join(", ")));
        return Err(Failure::Refused);
    }
    let incident = match args.incident {
        None => None,
        Some(id) => {
            let path = format!("/api/v1/incidents/{id}/record");
            Some(Remote::find(&args.target)?.get::<Incident>(&path, &[]).await?)
        }
    };
    let people = config.as_ref().map(Config::mentions).unwrap_or_default();
    let parts = Parts { templates, sink: Arc::new(|_: &str| {}), people };
    let several = shown.len() > 1;
    for one in shown {
        let view = view(&args, &one, config.as_ref(), incident.as_ref())?;
        let built = one.config.composer(&parts);
        let composer = built.map_err(|e| anyhow::anyhow!("channel {}: {e}", one.id))?;
        let forms = composer.preview(&view);
        if let Some(path) = &args.out {
            return write(path, &forms);
        }
        if several {
            output::say(&format!("== {} ==", one.id));
        }
        output::say(&to_look_at(&forms));
    }
    Ok(())
}

/// The configuration, where there is one, and the templates.
fn read(args: &Args) -> Result<(Option<Config>, Arc<Templates>), Failure> {
    let path = &args.target.file.config;
    // Templates can be looked at before there is a configuration.
    let none = !path.exists() && path == Path::new("weir.yaml");
    let checked = if none { None } else { Some(check::read(path)?) };
    let own = match &args.template_dir {
        None => None,
        Some(dir) => Some(Arc::new(Templates::load(Some(dir)).map_err(|problems| {
            output::problems(&problems);
            Failure::Refused
        })?)),
    };
    Ok(match checked {
        None => (None, own.unwrap_or_else(|| Arc::new(Templates::shipped()))),
        Some(checked) => (Some(checked.config), own.unwrap_or(checked.templates)),
    })
}

fn channels(args: &Args, config: Option<&Config>) -> Result<Vec<Shown>, Failure> {
    let refuse = |text: String| {
        output::complain(&format!("error: {text}"));
        Failure::Refused
    };
    let receivers = config.map(|c| c.receivers.as_slice()).unwrap_or_default();
    if let Some(name) = &args.receiver
        && !receivers.iter().any(|r| r.name == *name)
    {
        let known: Vec<&str> = receivers.iter().map(|r| r.name.as_str()).collect();
        let known = known.join(", ");
        return Err(refuse(format!("no receiver is named `{name}` (receivers: {known})")));
    }
    let root = config.map(|c| c.notify.route.receiver.clone());
    let reader = args.receiver.clone().or(root);
    let only = reader.clone().filter(|_| args.receiver.is_some() || args.channel.is_none());
    let mut found: Vec<Shown> = Vec::new();
    for receiver in receivers.iter().filter(|r| only.as_ref().is_none_or(|name| r.name == *name)) {
        for (id, channel) in &receiver.channels {
            let named = |name: &String| channel.name() == name || channel.kind() == name;
            if args.channel.as_ref().is_none_or(named) {
                let plan = config.and_then(|c| c.notify.receivers.get(&receiver.name)).cloned();
                found.push(Shown { id: id.clone(), config: channel.clone(), receiver: plan });
            }
        }
    }
    if args.channel.is_some() {
        // By its kind it may be in several receivers: one is enough to look at.
        found.truncate(1);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let kind = args.channel.as_deref().unwrap_or("console");
    let plan = reader.and_then(|name| config?.notify.receivers.get(&name).cloned());
    match unconfigured(kind) {
        Some(config) => {
            let receiver = plan.as_ref().map_or("sample", |plan| &plan.name).to_owned();
            let id = ChannelId { receiver, channel: kind.to_owned() };
            Ok(vec![Shown { id, config, receiver: plan }])
        }
        None => Err(refuse(format!(
            "no channel `{kind}` is configured (kinds: {})",
            ChannelConfig::KINDS.join(", ")
        ))),
    }
}

/// A channel of a kind without what only sending needs.
fn unconfigured(kind: &str) -> Option<ChannelConfig> {
    let settings = match kind {
        "alertmanager" => json!({"urls": ["http://alertmanager.example.com:9093"]}),
        "austin" => json!({"template": 1, "receivers": ["you"]}),
        "command" => json!({"argv": ["notify"]}),
        "email" => json!({"from": "weir@example.com", "to": ["you@example.com"]}),
        "feishu_app" => json!({"app_id": "cli_sample", "chat_id": "oc_sample"}),
        "slack" => json!({"channel": "#alerts"}),
        _ => json!({}),
    };
    serde_json::from_value(json!({ kind: settings })).ok()
}

fn view(
    args: &Args,
    shown: &Shown,
    config: Option<&Config>,
    incident: Option<&Incident>,
) -> Result<MessageView, Failure> {
    let plan = shown.receiver.as_ref();
    let language = match args.language {
        Some(words) => words.pick(Language::En, Language::Zh),
        None => plan.map_or(Language::En, |plan| plan.language),
    };
    let mut view = if let Some(incident) = incident {
        about(incident, args.reason, language)
    } else {
        let name = args.sample.as_deref().unwrap_or(SAMPLES[0]);
        sample(name, language).ok_or_else(|| {
            let known = SAMPLES.join(", ");
            output::complain(&format!("error: no sample is named `{name}` (samples: {known})"));
            Failure::Refused
        })?
    };
    view.receiver.clone_from(&shown.id.receiver);
    if let Some(plan) = plan {
        view.zone = plan.zone.clone();
    }
    if let Some(config) = config {
        view.external_url.clone_from(&config.notify.external_url);
    }
    Ok(view)
}

/// News of a real incident, as of now.
fn about(incident: &Incident, reason: NoticeReason, language: Language) -> MessageView {
    let reason = if incident.is_open() { reason } else { NoticeReason::Resolved };
    MessageView {
        id: 0,
        installation: "preview".to_owned(),
        key: "preview-0".to_owned(),
        kind: MessageKind::Incident,
        receiver: String::new(),
        group_key: "preview".to_owned(),
        group_labels: Labels::default(),
        language,
        zone: jiff::tz::TimeZone::UTC,
        now: SystemClock::anchored(None).now().wall,
        external_url: None,
        items: vec![ItemView {
            reason,
            name: name_of(incident),
            sequence: 1,
            action: None,
            affected: Affected::default(),
            unacknowledged: None,
            link: None,
            approve_link: None,
            known: Known::New,
            incident: incident.clone(),
        }],
        jobs_watched: 0,
        is_reply: false,
        summary: None,
    }
}

/// What people see where a channel tells it, else what is sent, so that it can be read.
fn to_look_at(forms: &[(&str, String)]) -> String {
    let form = |ending: &str| forms.iter().find(|(known, _)| *known == ending);
    if let Some((_, text)) = form("txt") {
        return text.clone();
    }
    let Some((ending, text)) = forms.last() else { return String::new() };
    let pretty = || {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        serde_json::to_string_pretty(&value).ok()
    };
    if *ending == "json" { pretty().unwrap_or_else(|| text.clone()) } else { text.clone() }
}

/// The form the ending of the file asks for, to the byte.
fn write(path: &Path, forms: &[(&str, String)]) -> Result<(), Failure> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let Some((_, text)) = forms.iter().find(|(known, _)| *known == ending) else {
        let known: Vec<String> = forms.iter().map(|(known, _)| format!(".{known}")).collect();
        output::complain(&format!(
            "error: {} says not which form to write (this channel has {})",
            path.display(),
            known.join(", ")
        ));
        return Err(Failure::Refused);
    };
    std::fs::write(path, text)
        .map_err(|error| anyhow::anyhow!("{} cannot be written: {error}", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::render::words;

    #[test]
    fn every_kind_can_be_looked_at_without_a_configuration() {
        let parts = Parts {
            templates: Arc::new(Templates::shipped()),
            sink: Arc::new(|_: &str| {}),
            people: crate::notify::channels::People::default(),
        };
        for kind in ChannelConfig::KINDS {
            let config = unconfigured(kind).unwrap_or_else(|| panic!("{kind} wants more"));
            assert_eq!(config.kind(), *kind);
            let composer = config.composer(&parts).unwrap();
            for (name, language) in SAMPLES
                .into_iter()
                .flat_map(|name| [Language::En, Language::Zh].map(|language| (name, language)))
            {
                let view = sample(name, language).unwrap();
                let forms = composer.preview(&view);
                assert_eq!(forms[0].1, composer.compose(&view).frozen.body, "{kind} {name}");
                let text = to_look_at(&forms);
                // What people read has the word chat bots may demand; the rest machines read.
                if !["alertmanager", "pagerduty"].contains(kind) {
                    let word = words::keyword(language);
                    assert!(text.contains(word), "{kind} {name}: {text}");
                }
                let number = view.items.len() == 1;
                assert!(!text.is_empty() && (!number || text.contains("128")), "{kind} {name}");
            }
        }
        assert!(unconfigured("carrier_pigeon").is_none());
    }

    #[test]
    fn the_ending_of_the_file_says_the_form() {
        let dir = tempfile::tempdir().unwrap();
        let forms = [("eml", "mail".to_owned()), ("html", "<b>".to_owned())];
        let path = dir.path().join("m.html");
        assert!(write(&path, &forms).is_ok());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "<b>");
        assert!(matches!(write(&dir.path().join("m.pdf"), &forms), Err(Failure::Refused)));
        assert_eq!(to_look_at(&[("json", "{\"a\":1}".to_owned())]), "{\n  \"a\": 1\n}");
    }
}
