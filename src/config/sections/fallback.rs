//! Who stands in for the channels of a receiver: names become channels, and circles are mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::de::At;
use crate::model::ChannelId;
use crate::notify::{Fallback, ReceiverPlan};
use crate::yaml::findings::Findings;
use crate::yaml::suggest;
use crate::yaml::tree::excerpt;

/// A channel whose every try has failed for so long is down, unless another time is given.
pub(super) const AFTER: Duration = Duration::from_mins(2);

type Plans = BTreeMap<String, ReceiverPlan>;

/// As written in one receiver.
pub(super) struct Wanted {
    pub(super) receiver: String,
    pub(super) fallback: At<String>,
    pub(super) after: Duration,
}

/// Gives the channels of receivers those who stand in for them.
pub(super) fn link(plans: &mut Plans, wanted: Vec<Wanted>, findings: &mut Findings) {
    let mut found = Vec::new();
    for one in wanted {
        match resolve(plans, &one) {
            Ok(to) => found.push((one, to)),
            Err((what, hint)) => findings.error(one.fallback.place, what, Some(hint)),
        }
    }
    for (one, to) in &found {
        let Some(plan) = plans.get_mut(&one.receiver) else { continue };
        for channel in &mut plan.channels {
            if channel.id == *to {
                channel.standby = true;
            } else {
                channel.fallback = Some(Fallback { to: to.clone(), after: one.after });
            }
        }
    }
    for (one, to) in &found {
        if let Some(row) = circle(plans, to) {
            let names: Vec<String> = row.iter().map(ToString::to_string).collect();
            findings.error(
                one.fallback.place,
                format!("fallbacks go in a circle: {}", names.join(" → ")),
                Some("let the last of them have none".to_owned()),
            );
        }
    }
}

/// The channel a name means: the receiver's own first.
fn resolve(plans: &Plans, wanted: &Wanted) -> Result<ChannelId, (String, String)> {
    let name = wanted.fallback.value.as_str();
    let channels = |receiver: &str| {
        plans.get(receiver).into_iter().flat_map(|plan| &plan.channels).map(|c| c.id.clone())
    };
    if let Some(own) = channels(&wanted.receiver).find(|id| id.channel == name) {
        if channels(&wanted.receiver).count() < 2 {
            let what = format!("`{}` is the only channel of this receiver", excerpt(name));
            return Err((what, "nobody is left it could stand in for".to_owned()));
        }
        return Ok(own);
    }
    let all: Vec<ChannelId> = plans.keys().flat_map(|receiver| channels(receiver)).collect();
    if let Some(id) = all.iter().find(|id| id.to_string() == name) {
        return Ok(id.clone());
    }
    let names: Vec<String> = all
        .iter()
        .map(|id| {
            let own = id.receiver == wanted.receiver;
            if own { id.channel.clone() } else { id.to_string() }
        })
        .collect();
    let hint = match suggest::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a channel of this receiver, or `receiver/channel`".to_owned(),
    };
    Err((format!("unknown fallback `{}`", excerpt(name)), hint))
}

/// The row of stand-ins that begins with a channel, if it comes back to where it was.
fn circle(plans: &Plans, from: &ChannelId) -> Option<Vec<ChannelId>> {
    let next = |of: &ChannelId| {
        let channel = plans.get(&of.receiver)?.channels.iter().find(|c| c.id == *of)?;
        Some(channel.fallback.as_ref()?.to.clone())
    };
    let mut seen = BTreeSet::new();
    let mut row = Vec::new();
    let mut at = Some(from.clone());
    while let Some(id) = at {
        row.push(id.clone());
        if !seen.insert(id.clone()) {
            return Some(row);
        }
        at = next(&id);
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, parse};

    fn read(receivers: &str) -> Result<Config, String> {
        let text = format!(
            "sources: [{{ flink: {{ name: prod, urls: [\"http://jm:8081\"] }} }}]\n\
             route: {{ receiver: a }}\nreceivers:\n{receivers}"
        );
        match parse(&text, "weir.yaml", &|_| None) {
            Ok((config, problems)) => {
                let mut said = problems.iter().map(ToString::to_string);
                // That nobody watches Weir itself is beside the point.
                said.find(|text| text.contains("receiver `")).map_or(Ok(config), Err)
            }
            Err(problems) => {
                Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            }
        }
    }

    const C: &str = "console: { name: c }";

    #[test]
    fn one_of_its_own_is_told_nothing_else() {
        let config = read(&format!(
            "  - {{ name: a, channels: [{{ {C} }}, console], fallback: console, fallback_after: 90s }}\n"
        ))
        .unwrap();
        let [first, second] = &config.notify.receivers["a"].channels[..] else { panic!() };
        let fallback = first.fallback.as_ref().unwrap();
        assert_eq!(fallback.to, second.id);
        assert_eq!(fallback.after.as_secs(), 90);
        assert!(second.standby && !first.standby && second.fallback.is_none());
    }

    #[test]
    fn one_of_another_receiver_is_told_its_own_too_and_needs_no_route() {
        let config = read(
            "  - { name: a, channels: [console], fallback: b/console }\n  \
               - { name: b, channels: [console] }\n",
        )
        .unwrap();
        let first = &config.notify.receivers["a"].channels[0];
        assert_eq!(first.fallback.as_ref().unwrap().to.to_string(), "b/console");
        assert_eq!(first.fallback.as_ref().unwrap().after.as_secs(), 120);
        assert!(!config.notify.receivers["b"].channels[0].standby);
    }

    #[test]
    fn mistakes_are_said_where_they_stand() {
        for (receivers, words) in [
            ("  - { name: a, channels: [console], fallback: consol }\n", "did you mean `console`"),
            ("  - { name: a, channels: [console], fallback: console }\n", "only channel"),
            (
                "  - { name: a, channels: [console], fallback: b/console }\n  \
                   - { name: b, channels: [console], fallback: a/console }\n",
                "circle: b/console → a/console → b/console",
            ),
            ("  - { name: a, channels: [console], fallback: x/y }\n", "unknown fallback `x/y`"),
        ] {
            let said = read(receivers).unwrap_err();
            assert!(said.contains(words), "{said}");
            assert!(said.contains("weir.yaml:4:"), "{said}");
        }
    }
}
