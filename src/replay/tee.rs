//! Writes a message for its channel, and keeps it as text for the one who looks at the replay.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::notify::channels::as_text;
use crate::notify::render::Templates;
use crate::notify::{Compose, Composed, Composers, MessageView};

/// A message as the console channel shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// Its title.
    pub title: String,
    /// Its lines.
    pub text: String,
}

/// Texts by receiver, channel and wall time of composition in ms, and number of the message.
#[derive(Debug, Clone, Default)]
pub struct Texts(Arc<Mutex<BTreeMap<(i64, u64), Words>>>);

impl Texts {
    /// Composers that keep the text of what they write.
    pub fn tee(&self, composers: Composers, templates: &Arc<Templates>) -> Composers {
        let tee =
            |composer| Tee { composer, templates: Arc::clone(templates), texts: self.clone() };
        composers
            .into_iter()
            .map(|(id, composer)| (id, Arc::new(tee(composer)) as Arc<dyn Compose>))
            .collect()
    }

    /// The text of a message of this number, composed at or last before a wall time: numbers are
    /// given again after a process died before it kept them.
    pub fn of(&self, message: u64, at: crate::model::Ts) -> Option<Words> {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = texts.range(..=(at.0, u64::MAX)).rev();
        before.into_iter().find(|((_, id), _)| *id == message).map(|(_, words)| words.clone())
    }
}

struct Tee {
    composer: Arc<dyn Compose>,
    templates: Arc<Templates>,
    texts: Texts,
}

impl Compose for Tee {
    fn compose(&self, view: &MessageView) -> Composed {
        let (title, text) = as_text(&self.templates, view);
        let mut texts = self.texts.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.insert((view.now.0, view.id), Words { title, text });
        drop(texts);
        self.composer.compose(view)
    }
}
