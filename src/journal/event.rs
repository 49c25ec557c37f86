//! What the journal tells.

use serde::{Deserialize, Serialize};

use crate::model::{
    ChannelId, Command, Demand, Loaded, Message, MessageKind, SendOutcome, Snapshot, Told,
};

/// One thing that happened to the engine. All but [`Event::Base`], [`Event::Reload`] and
/// [`Event::Sent`] are inputs of its step.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An engine began to work with this, or a segment begins while it goes on.
    Base(Box<Base>),
    /// A look at a source, as the step saw it, without what the look itself cost.
    Snapshot(Box<Snapshot>),
    /// A deadline came.
    Deadline,
    /// A channel's word on a try.
    Delivery {
        /// Which message.
        message: u64,
        /// What came of it.
        outcome: SendOutcome,
    },
    /// Somebody wanted something done.
    Command(Box<Command>),
    /// What a driver told of a restart.
    Acted {
        /// Which restart.
        restart: u64,
        /// What.
        told: Box<Told>,
    },
    /// Other rules or receivers from here on; from then on this is asked of the sources.
    Reload(Box<Demand>),
    /// For comparison: this went out for the first time.
    Sent(Box<SentNote>),
}

/// What an engine has when it begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// The Weir that wrote it.
    pub version: String,
    /// A process began here. If not, the engine merely went on, and knew more than this.
    pub from_start: bool,
    /// What is asked of the sources.
    pub demand: DemandNote,
    /// The state as the store gave it.
    pub loaded: Loaded,
}

/// A [`Demand`] as text: its keys are no texts, which JSON objects need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DemandNote {
    flags: Demand,
    metrics: Vec<(crate::model::MetricQuery, std::time::Duration)>,
}

impl From<&Demand> for DemandNote {
    fn from(demand: &Demand) -> Self {
        let metrics = demand.metrics.iter().map(|(query, span)| (query.clone(), *span)).collect();
        let flags = Demand { metrics: std::collections::BTreeMap::new(), ..demand.clone() };
        DemandNote { flags, metrics }
    }
}

impl From<DemandNote> for Demand {
    fn from(note: DemandNote) -> Self {
        Demand { metrics: note.metrics.into_iter().collect(), ..note.flags }
    }
}

/// A message that went out, as it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentNote {
    /// Its number.
    pub id: u64,
    /// To whom.
    pub to: ChannelId,
    /// What kind.
    pub kind: MessageKind,
    /// Its short text.
    pub title: String,
    /// Its bytes.
    pub body: String,
}

impl From<&Message> for SentNote {
    fn from(message: &Message) -> Self {
        SentNote {
            id: message.id,
            to: message.to.clone(),
            kind: message.kind,
            title: message.frozen.title.clone(),
            body: message.frozen.body.clone(),
        }
    }
}
