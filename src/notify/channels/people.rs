//! How owners are mentioned where they are told: by the name in the label `owner`.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Ways to mention one person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handles {
    /// Feishu's open id, `ou_…`.
    pub feishu: Option<String>,
    /// Slack's member id, `U…`.
    pub slack: Option<String>,
    /// DingTalk's mobile number or user id.
    pub dingtalk: Option<String>,
    /// WeCom's user id.
    pub wecom: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

/// Everybody who can be mentioned, by name.
#[derive(Debug, Clone, Default)]
pub struct People(Arc<BTreeMap<String, Handles>>);

impl People {
    /// From pairs of name and handles. An id that could be anything else than an id is left out.
    pub fn new(people: impl IntoIterator<Item = (String, Handles)>) -> People {
        let clean = |id: Option<String>| id.filter(|id| is_id(id));
        let clean = |(name, handles): (String, Handles)| {
            let Handles { feishu, slack, dingtalk, wecom, email } = handles;
            let handles = Handles {
                feishu: clean(feishu),
                slack: clean(slack),
                dingtalk: dingtalk.filter(|id| is_id(id.trim_start_matches('+'))),
                wecom: wecom.filter(|id| is_id(&id.replace(['.', '@'], "_"))),
                email,
            };
            (name, handles)
        };
        People(Arc::new(people.into_iter().map(clean).collect()))
    }

    pub(super) fn feishu(&self, owner: &str) -> Option<&String> {
        self.0.get(owner)?.feishu.as_ref()
    }

    pub(super) fn dingtalk(&self, owner: &str) -> Option<&String> {
        self.0.get(owner)?.dingtalk.as_ref()
    }

    pub(super) fn wecom(&self, owner: &str) -> Option<&String> {
        self.0.get(owner)?.wecom.as_ref()
    }

    pub(super) fn email(&self, owner: &str) -> Option<&String> {
        self.0.get(owner)?.email.as_ref()
    }

    pub(super) fn slack(&self, owner: &str) -> Option<&String> {
        self.0.get(owner)?.slack.as_ref()
    }
}

/// Letters, digits, `_` and `-`: nothing that could end a mention and begin something else.
pub(super) fn is_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !id.is_empty() && id.len() <= 64 && id.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::{Handles, People};

    #[test]
    fn only_ids_are_mentioned() {
        let handles = |id: &str| Handles {
            feishu: Some(id.to_owned()),
            wecom: Some(id.to_owned()),
            dingtalk: Some(id.to_owned()),
            ..Handles::default()
        };
        let people = People::new([
            ("ann".to_owned(), handles("ou_1a")),
            ("bob".to_owned(), handles("ou_1></at><at id=all")),
        ]);
        assert_eq!(people.feishu("ann").map(String::as_str), Some("ou_1a"));
        assert_eq!(people.feishu("bob"), None);
        assert_eq!((people.wecom("bob"), people.dingtalk("bob")), (None, None));
        assert_eq!(people.wecom("ann").map(String::as_str), Some("ou_1a"));
        assert_eq!(people.feishu(""), None);
        assert_eq!(people.slack("ann"), None);
    }
}
