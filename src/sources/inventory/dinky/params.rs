//! `dinky_alert_group` and `dinky_alert_instance`: groups of channels, each with its own JSON.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use super::super::row::Row;
use super::super::ways::{Draft, Smtp, Way, flag, list, mentions, params, secret, smtp_url, text};

/// Alert groups, with the channels each names.
pub(in crate::sources::inventory) fn ways<'r>(
    groups: impl Iterator<Item = Row<'r>>,
    instances: impl Iterator<Item = Row<'r>>,
) -> Vec<Way> {
    let instances: BTreeMap<String, Row<'r>> =
        instances.filter_map(|row| Some((row.owned("s.id")?, row))).collect();
    groups.filter_map(|row| way(&row, &instances)).collect()
}

fn way(row: &Row<'_>, instances: &BTreeMap<String, Row<'_>>) -> Option<Way> {
    let id = row.owned("g.id")?;
    let name = row.owned("g.name").unwrap_or_else(|| format!("group-{id}"));
    let mut way = Way { id, name, ..Way::default() };
    let ids = row.text("g.alert_instance_ids").unwrap_or_default();
    for id in ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        let Some(instance) = instances.get(id) else {
            way.notes.push(format!("it names channel {id}, which is not there"));
            continue;
        };
        let kind = instance.text("s.type").unwrap_or_default();
        let channel = instance.text("s.name").unwrap_or(id);
        if instance.flag("s.enabled") == Some(false) {
            way.notes.push(format!("channel `{channel}` is switched off there"));
            continue;
        }
        if kind.eq_ignore_ascii_case("http") {
            let what = "gets Alertmanager's JSON now, no longer the body and headers of Dinky";
            way.notes.push(format!("channel `{channel}` {what}"));
        }
        match draft(kind, &params(instance.text("s.params"))) {
            Some(draft) => way.drafts.push(draft),
            None => {
                way.notes.push(format!("channel `{channel}` of type {kind} is not taken over"));
            }
        }
    }
    Some(way)
}

fn draft(kind: &str, params: &Value) -> Option<Draft> {
    let webhook = || secret(params, &["webhook", "webHook", "url"]);
    match kind.to_ascii_lowercase().as_str() {
        "feishu" => Some(Draft::FeishuBot {
            url: webhook()?,
            secret: secret(params, &["secret"]),
            at_all: flag(params, "isAtAll"),
        }),
        "dingtalk" => Some(Draft::Dingtalk {
            url: webhook()?,
            secret: secret(params, &["secret"]),
            at: mentions(params, "isAtAll", &["atMobiles"]),
        }),
        // An application of WeCom has no robot; an address may be left over from before.
        "wechat" if text(params, &["sendType"]).as_deref() == Some("app") => None,
        "wechat" => Some(Draft::Wecom { url: webhook()? }),
        "http" => Some(Draft::Webhook { url: webhook()? }),
        "email" => {
            let to = list(params, &["receivers"]);
            (!to.is_empty()).then(|| Draft::Email { to, smtp: smtp(params) })
        }
        _ => None,
    }
}

fn smtp(params: &Value) -> Option<Smtp> {
    let host = text(params, &["serverHost"])?;
    let user = text(params, &["user"]);
    let port = text(params, &["serverPort"]);
    Some(Smtp {
        url: smtp_url(flag(params, "sslEnable"), user.as_deref(), &host, port.as_deref()),
        password: text(params, &["password"]).map(SecretString::from),
        from: text(params, &["sender"]).or(user)?,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::super::row::Made;
    use super::*;

    #[test]
    fn what_is_switched_off_or_no_robot_is_left_out() {
        let group = Made::of(&[("g.id", "1"), ("g.alert_instance_ids", "7,8,9")]);
        let hook = r#"{"webhook":"https://w/x","url":"https://w/x","sendType":"app"}"#;
        let row = |id: &str, kind: &str, enabled: &str| {
            Made::of(&[("s.id", id), ("s.type", kind), ("s.params", hook), ("s.enabled", enabled)])
        };
        let made = [row("7", "FeiShu", "0"), row("8", "WeChat", "1"), row("9", "Http", "true")];
        let way = ways([group.row()].into_iter(), made.iter().map(Made::row)).remove(0);
        assert!(matches!(way.drafts.as_slice(), [Draft::Webhook { .. }]), "{way:?}");
        let notes = way.notes.join("\n");
        for words in ["`7` is switched off", "`8` of type WeChat is not", "`9` gets Alertmanager"] {
            assert!(notes.contains(words), "{notes}");
        }
    }

    #[test]
    fn a_group_has_the_channels_it_names() {
        let group =
            Made::of(&[("g.id", "1"), ("g.name", "ops"), ("g.alert_instance_ids", "7, 8,9,10")]);
        let instances = [
            [
                ("s.id", "7"),
                ("s.name", "bot"),
                ("s.type", "FeiShu"),
                ("s.params", r#"{"webhook":"https://f/hook/x","secret":"key","isAtAll":false}"#),
            ],
            [("s.id", "8"), ("s.name", "sms"), ("s.type", "Sms"), ("s.params", "{}")],
            [
                ("s.id", "9"),
                ("s.name", "mail"),
                ("s.type", "Email"),
                (
                    "s.params",
                    r#"{"receivers":["a@x.com"],"serverHost":"smtp.x.com","serverPort":25,"user":"u","password":"p4ss","sender":"ops@x.com","sslEnable":false}"#,
                ),
            ],
        ];
        let made: Vec<Made> = instances.iter().map(|row| Made::of(row)).collect();
        let way = ways([group.row()].into_iter(), made.iter().map(Made::row)).remove(0);
        let [
            Draft::FeishuBot { url, secret, at_all: false },
            Draft::Email { to, smtp: Some(smtp) },
        ] = &way.drafts[..]
        else {
            panic!("{way:?}")
        };
        assert_eq!(url.expose_secret(), "https://f/hook/x");
        assert!(secret.is_some());
        assert_eq!((to[0].as_str(), smtp.url.as_str()), ("a@x.com", "smtp://u@smtp.x.com:25"));
        assert_eq!(
            way.notes,
            [
                "channel `sms` of type Sms is not taken over",
                "it names channel 10, which is not there"
            ]
        );
    }
}
