//! Console: messages as text, for `weir watch` and for trying things out.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;

use super::options::{BudgetConfig, endpoint_hash};
use super::{BuildError, Channel, Parts, Settings, Sink};
use crate::model::{Frozen, Message, SendOutcome, Time};
use crate::notify::render::{Detail, Templates, message_data, words};
use crate::notify::{Budget, Compose, Composed, MessageView};

/// Writes messages to the terminal.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// Hard limit; none if it is left out.
    pub budget: Option<BudgetConfig>,
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        self.budget.map(BudgetConfig::budget).into_iter().collect()
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        Ok(endpoint_hash("console", ""))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        Ok(Box::new(Composer { templates: Arc::clone(&parts.templates) }))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        let composer = Composer { templates: Arc::clone(&parts.templates) };
        Ok(Box::new(Console { composer, sink: Arc::clone(&parts.sink) }))
    }
}

struct Console {
    composer: Composer,
    sink: Sink,
}

impl Channel for Console {
    fn composer(&self) -> &dyn Compose {
        &self.composer
    }

    fn send<'a>(&'a self, message: &'a Message, _: &'a str, _: Time) -> BoxFuture<'a, SendOutcome> {
        (self.sink)(&message.frozen.body);
        Box::pin(std::future::ready(SendOutcome::Delivered))
    }
}

struct Composer {
    templates: Arc<Templates>,
}

impl Compose for Composer {
    fn compose(&self, view: &MessageView) -> Composed {
        let (title, body, named) = text(&self.templates, view, Detail::FULL);
        Composed { frozen: Frozen { body, title }, named }
    }
}

/// Title, text form and number of named items; other channels carry it along too.
pub(super) fn text(
    templates: &Templates,
    view: &MessageView,
    detail: Detail,
) -> (String, String, usize) {
    let data = message_data(view, detail);
    let body = templates
        .render("console", view.language, "body.txt.hbs", &data)
        .unwrap_or_else(|| data.fallback());
    let body = if body.contains(words::keyword(view.language)) {
        body
    } else {
        format!("{body}\n  {}", data.footer)
    };
    (data.title, body, data.items.len())
}

#[cfg(test)]
mod tests;
