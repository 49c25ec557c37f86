//! The body of `/send`: a template's number, and what goes into its variables. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Frozen;
use crate::notify::render::escape::cut;
use crate::notify::render::{Detail, MessageData, Templates, message_data, words};
use crate::notify::{Compose, Composed, MessageView};

/// Its templates feed SMS, mail and bots alike: this much is read everywhere.
const DETAIL: Detail = Detail { named: 20, text: 200, title: 200, links: true };
/// Longest text, in characters.
const TEXT: usize = 2_000;

/// What can be put into a variable of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The title, one line.
    Title,
    /// All of the text, in some lines.
    Text,
    /// Address of the incident on Weir's page, or of the job in Flink's; may be empty.
    Link,
}

/// What the templates austin's documentation shows are made of.
pub(super) fn usual() -> BTreeMap<String, Part> {
    BTreeMap::from([("title".to_owned(), Part::Title), ("content".to_owned(), Part::Text)])
}

pub(super) struct Composer {
    pub(super) templates: Arc<Templates>,
    pub(super) template: u64,
    pub(super) receivers: String,
    pub(super) variables: BTreeMap<String, Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    code: &'static str,
    message_template_id: u64,
    message_param: Param<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Param<'a> {
    biz_id: &'a str,
    receiver: &'a str,
    variables: BTreeMap<&'a str, String>,
}

impl Composer {
    /// The text, with the number of the message: austin drops a text it had five minutes before.
    fn text(&self, view: &MessageView, data: &MessageData) -> String {
        let body = self
            .templates
            .render("austin", view.language, "body.txt.hbs", data)
            .unwrap_or_else(|| data.fallback());
        let number = format!(" · m{}", view.id);
        let room = TEXT - number.len();
        let whole = body.trim_end();
        if whole.contains(words::keyword(view.language)) && whole.chars().count() <= room {
            return format!("{whole}{number}");
        }
        let room = room - data.footer.chars().count() - 1;
        format!("{}\n{}{number}", cut(whole, room), data.footer)
    }
}

fn link(data: &MessageData) -> String {
    let [only] = &data.items[..] else { return data.page_url.clone().unwrap_or_default() };
    only.page_url.clone().or_else(|| only.ui_url.clone()).unwrap_or_default()
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let data = message_data(view, DETAIL);
        let fill = |part: &Part| match part {
            Part::Title => data.title.clone(),
            Part::Text => self.text(view, &data),
            Part::Link => link(&data),
        };
        let body = Body {
            code: "send",
            message_template_id: self.template,
            message_param: Param {
                biz_id: &view.key,
                receiver: &self.receivers,
                variables: self
                    .variables
                    .iter()
                    .map(|(name, p)| (name.as_str(), fill(p)))
                    .collect(),
            },
        };
        // Strings, numbers and string-keyed maps: this cannot fail.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let named = data.items.len();
        Composed { frozen: Frozen { body, title: data.title }, named }
    }
}
