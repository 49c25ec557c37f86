//! `t_alert_config`: channels as a mask of bits, each with its own JSON.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::super::row::Row;
use super::super::ways::{Draft, Smtp, Way, flag, list, mentions, params, secret, smtp_url, text};

const EMAIL: i64 = 1;
const DING_TALK: i64 = 2;
const WE_COM: i64 = 4;
const HTTP_CALLBACK: i64 = 8;
const LARK: i64 = 16;

/// Where robots live unless the configuration says otherwise.
const FEISHU: &str = "https://open.feishu.cn/open-apis/bot/v2/hook/";
const DINGTALK: &str = "https://oapi.dingtalk.com/robot/send";
const WECOM: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=";

/// Alert configurations, with the mail server of the settings.
pub(in crate::sources::inventory) fn ways<'r>(
    configs: impl Iterator<Item = Row<'r>>,
    settings: impl Iterator<Item = Row<'r>>,
) -> Vec<Way> {
    let settings: BTreeMap<String, String> = settings
        .filter_map(|row| Some((row.owned("s.setting_key")?, row.owned("s.setting_value")?)))
        .collect();
    let smtp = smtp(&settings);
    configs.filter_map(|row| way(&row, smtp.as_ref())).collect()
}

fn smtp(settings: &BTreeMap<String, String>) -> Option<Smtp> {
    // Keys (`MAIL`) of 2.0 and later; in other versions the draft says that the server is missing.
    let of = |key: &str| settings.get(&format!("alert.email.{key}")).map(String::as_str);
    let host = of("host")?;
    let user = of("userName");
    Some(Smtp {
        url: smtp_url(of("ssl") == Some("true"), user, host, of("port")),
        password: of("password").map(SecretString::from),
        from: of("from").or(user)?.to_owned(),
    })
}

fn way(row: &Row<'_>, smtp: Option<&Smtp>) -> Option<Way> {
    let id = row.owned("g.id")?;
    let name = row.owned("g.alert_name").unwrap_or_else(|| format!("alert-{id}"));
    let mut way = Way { id, name, ..Way::default() };
    let kinds = row.number("g.alert_type").unwrap_or(0);
    let known = EMAIL | DING_TALK | WE_COM | HTTP_CALLBACK | LARK;
    if kinds & !known != 0 {
        way.notes.push(format!("alert_type {kinds} has kinds of channels nobody knows here"));
    }
    for (bit, column, read) in [
        (LARK, "g.lark_params", lark as fn(&serde_json::Value) -> Option<Draft>),
        (DING_TALK, "g.ding_talk_params", ding_talk),
        (WE_COM, "g.we_com_params", we_com),
        (HTTP_CALLBACK, "g.http_callback_params", callback),
        (EMAIL, "g.email_params", email),
    ] {
        if kinds & bit == 0 {
            continue;
        }
        match read(&params(row.text(column))) {
            Some(Draft::Email { to, .. }) => {
                way.drafts.push(Draft::Email { to, smtp: smtp.cloned() });
            }
            Some(draft) => way.drafts.push(draft),
            None => {
                let column = column.trim_start_matches("g.");
                way.notes
                    .push(format!("{column} is empty or cannot be read: no channel made of it"));
            }
        }
    }
    if kinds & HTTP_CALLBACK != 0 {
        way.notes.push(
            "the HTTP callback gets Alertmanager's JSON now, no longer the template of StreamPark"
                .to_owned(),
        );
    }
    Some(way)
}

fn signed(params: &serde_json::Value) -> Option<SecretString> {
    flag(params, "secretEnable").then(|| secret(params, &["secretToken"])).flatten()
}

fn lark(params: &serde_json::Value) -> Option<Draft> {
    let token = text(params, &["token"])?;
    let url = if token.contains("://") { token } else { format!("{FEISHU}{token}") };
    Some(Draft::FeishuBot {
        url: SecretString::from(url),
        secret: signed(params),
        at_all: flag(params, "isAtAll"),
    })
}

fn ding_talk(params: &serde_json::Value) -> Option<Draft> {
    let own = text(params, &["alertDingURL"]).unwrap_or_else(|| DINGTALK.to_owned());
    let token = text(params, &["token"]);
    let url = match (own.split_once("access_token="), token) {
        (Some((_, known)), _) if !known.is_empty() => own,
        (Some(_), Some(token)) => format!("{own}{token}"),
        (None, Some(token)) => {
            let mark = if own.contains('?') { '&' } else { '?' };
            format!("{own}{mark}access_token={token}")
        }
        (_, None) => return None,
    };
    let at = mentions(params, "isAtAll", &["contacts"]);
    Some(Draft::Dingtalk { url: SecretString::from(url), secret: signed(params), at })
}

fn we_com(params: &serde_json::Value) -> Option<Draft> {
    let token = text(params, &["token"])?;
    let url = if token.contains("://") { token } else { format!("{WECOM}{token}") };
    Some(Draft::Wecom { url: SecretString::from(url) })
}

fn callback(params: &serde_json::Value) -> Option<Draft> {
    let url = secret(params, &["url"])?;
    Some(Draft::Webhook { url })
}

fn email(params: &serde_json::Value) -> Option<Draft> {
    let to = list(params, &["contacts"]);
    (!to.is_empty()).then_some(Draft::Email { to, smtp: None })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::super::super::row::Made;
    use super::*;

    fn read(pairs: &[(&str, &str)], settings: &[(&str, &str)]) -> Way {
        let made = Made::of(pairs);
        let settings: Vec<Made> = settings
            .iter()
            .map(|(key, value)| Made::of(&[("s.setting_key", key), ("s.setting_value", value)]))
            .collect();
        ways([made.row()].into_iter(), settings.iter().map(Made::row)).remove(0)
    }

    #[test]
    fn the_bits_choose_the_channels() {
        let way = read(
            &[
                ("g.id", "3"),
                ("g.alert_name", "ops"),
                ("g.alert_type", "17"),
                ("g.email_params", r#"{"contacts":"a@x.com, b@x.com"}"#),
                (
                    "g.lark_params",
                    r#"{"token":"tok","isAtAll":true,"secretEnable":true,"secretToken":"key"}"#,
                ),
                ("g.we_com_params", r#"{"token":"old, not chosen"}"#),
            ],
            &[
                ("alert.email.host", "smtp.x.com"),
                ("alert.email.port", "465"),
                ("alert.email.ssl", "true"),
                ("alert.email.userName", "ops@x.com"),
                ("alert.email.password", "p4ss"),
            ],
        );
        let [Draft::FeishuBot { url, secret, at_all }, Draft::Email { to, smtp }] = &way.drafts[..]
        else {
            panic!("{way:?}")
        };
        assert_eq!(url.expose_secret(), "https://open.feishu.cn/open-apis/bot/v2/hook/tok");
        assert_eq!(secret.as_ref().unwrap().expose_secret(), "key");
        assert!(*at_all && way.notes.is_empty(), "{way:?}");
        assert_eq!(to, &["a@x.com", "b@x.com"]);
        let smtp = smtp.as_ref().unwrap();
        assert_eq!(
            (smtp.url.as_str(), smtp.from.as_str()),
            ("smtps://ops%40x.com@smtp.x.com:465", "ops@x.com")
        );
        assert!(!format!("{way:?}").contains("p4ss"));
    }

    #[test]
    fn addresses_of_dingtalk_are_put_together() {
        let base = "https://oapi.dingtalk.com/robot/send";
        for (params, expected) in [
            (r#"{"token":"t"}"#, Some(format!("{base}?access_token=t"))),
            (
                r#"{"token":"t","alertDingURL":"http://p/send?access_token="}"#,
                Some("http://p/send?access_token=t".to_owned()),
            ),
            (
                r#"{"token":"t","alertDingURL":"http://p/send?access_token=u"}"#,
                Some("http://p/send?access_token=u".to_owned()),
            ),
            (
                r#"{"token":"t","alertDingURL":"http://p/send?x=1"}"#,
                Some("http://p/send?x=1&access_token=t".to_owned()),
            ),
            (r#"{"contacts":"1"}"#, None),
        ] {
            let found = ding_talk(&super::params(Some(params)));
            let url = found.map(|draft| match draft {
                Draft::Dingtalk { url, .. } => url.expose_secret().to_owned(),
                other => panic!("{other:?}"),
            });
            assert_eq!(url, expected, "{params}");
        }
    }

    #[test]
    fn what_cannot_be_taken_over_is_said() {
        let way = read(&[("g.id", "3"), ("g.alert_type", "44"), ("g.we_com_params", "{")], &[]);
        assert_eq!(way.name, "alert-3");
        assert!(way.drafts.is_empty());
        let notes = way.notes.join("\n");
        for words in ["alert_type 44", "we_com_params is empty", "http_callback_params is empty"] {
            assert!(notes.contains(words), "{notes}");
        }
    }
}
