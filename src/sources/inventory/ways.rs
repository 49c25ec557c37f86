//! How an inventory tells people today: its alert configurations, as drafts of Weir's channels.

use secrecy::SecretString;
use serde_json::Value;

/// An alert configuration of StreamPark, an alert group of Dinky: one receiver.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// Its number there; jobs are bound to it.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// Its channels.
    pub drafts: Vec<Draft>,
    /// What could not be taken over, in words without secrets.
    pub notes: Vec<String>,
}

/// A channel to be.
#[derive(Debug, Clone)]
pub enum Draft {
    /// `feishu_bot`.
    FeishuBot {
        /// Address with its token.
        url: SecretString,
        /// Key of the signature.
        secret: Option<SecretString>,
        /// Mentions everybody.
        at_all: bool,
    },
    /// `dingtalk`.
    Dingtalk {
        /// Address with its token.
        url: SecretString,
        /// Key of the signature.
        secret: Option<SecretString>,
        /// Mobile numbers, or `all`.
        at: Vec<String>,
    },
    /// `wecom`.
    Wecom {
        /// Address with its key.
        url: SecretString,
    },
    /// `webhook`.
    Webhook {
        /// Address.
        url: SecretString,
    },
    /// `email`.
    Email {
        /// Addresses.
        to: Vec<String>,
        /// By which server, where that could be read.
        smtp: Option<Smtp>,
    },
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// `smtps://user@host:465` or `smtp://…`, without the password.
    pub url: String,
    /// Password.
    pub password: Option<SecretString>,
    /// Sender.
    pub from: String,
}

/// The object in a column; an empty one for anything else.
pub(super) fn params(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

/// A text under the first of these names that has one.
pub(super) fn text(params: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let text = match params.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    })
}

/// The same, which nobody is to see.
pub(super) fn secret(params: &Value, names: &[&str]) -> Option<SecretString> {
    text(params, names).map(SecretString::from)
}

/// A flag: `true`, `"true"`, `1`.
pub(super) fn flag(params: &Value, name: &str) -> bool {
    params.get(name).is_some_and(|value| match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text == "true" || text == "1",
        Value::Number(number) => number.as_i64() == Some(1),
        _ => false,
    })
}

/// Words of a list, or of a text with commas or semicolons.
pub(super) fn list(params: &Value, names: &[&str]) -> Vec<String> {
    let words = |text: &str| -> Vec<String> {
        let parts = text.split([',', ';', '，', ' ', '\n']).map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    for name in names {
        let found = match params.get(name) {
            Some(Value::String(text)) => words(text),
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).flat_map(words).collect()
            }
            _ => Vec::new(),
        };
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Whom a robot mentions: everybody, or these.
pub(super) fn mentions(params: &Value, all: &str, names: &[&str]) -> Vec<String> {
    if flag(params, all) { vec!["all".to_owned()] } else { list(params, names) }
}

/// The address of a mail server; the user in it is encoded, since it often is a mail address.
pub(super) fn smtp_url(tls: bool, user: Option<&str>, host: &str, port: Option<&str>) -> String {
    let scheme = if tls { "smtps" } else { "smtp" };
    let user = user.map_or_else(String::new, |user| {
        let encoded: String = user
            .chars()
            .map(|c| match c {
                '@' => "%40".to_owned(),
                '%' => "%25".to_owned(),
                '/' => "%2F".to_owned(),
                ':' => "%3A".to_owned(),
                c => c.to_string(),
            })
            .collect();
        format!("{encoded}@")
    });
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    format!("{scheme}://{user}{host}{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_read_however_they_were_written() {
        let read = params(Some(
            r#"{"a":" x ","n":465,"t":"true","f":false,"l":["a, b","c"],"s":"d;e，f","e":""}"#,
        ));
        assert_eq!(text(&read, &["e", "a"]).as_deref(), Some("x"));
        assert_eq!(text(&read, &["n"]).as_deref(), Some("465"));
        assert_eq!([flag(&read, "t"), flag(&read, "f"), flag(&read, "z")], [true, false, false]);
        assert_eq!(list(&read, &["z", "l"]), ["a", "b", "c"]);
        assert_eq!(list(&read, &["s"]), ["d", "e", "f"]);
        for broken in [None, Some(""), Some("{"), Some("[1]"), Some("7")] {
            let read = params(broken);
            assert!(text(&read, &["a"]).is_none() && list(&read, &["a"]).is_empty());
        }
    }

    #[test]
    fn a_mail_server_is_an_address() {
        assert_eq!(
            smtp_url(true, Some("a@b.c"), "smtp.b.c", Some("465")),
            "smtps://a%40b.c@smtp.b.c:465"
        );
        assert_eq!(smtp_url(false, None, "mail", None), "smtp://mail");
    }
}
