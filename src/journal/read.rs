//! The reading end: pieces become events; what is damaged is named and skipped.

use super::bytes::{Bytes, Damaged};
use super::coder::Coder;
use super::event::Event;
use super::pack::{FORMAT, Unpacker};
use crate::model::{HistoryChunk, Time};

/// Why pieces of a history cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Written by a newer Weir: nothing after it can be read either.
    #[error(
        "the history is written in format {0}, this weir knows up to {FORMAT}; use the weir that wrote it, or a newer one"
    )]
    Newer(u8),
    /// The rest of the segment is lost.
    #[error(
        "piece {number} of segment {segment} is damaged ({why}); the rest of that segment is skipped"
    )]
    Damaged {
        /// Which segment.
        segment: u64,
        /// Which piece of it.
        number: u32,
        /// What is wrong.
        why: Damaged,
    },
    /// Pieces before this one are not there.
    #[error("segment {segment} lacks its piece {number}; the rest of that segment is skipped")]
    Missing {
        /// Which segment.
        segment: u64,
        /// Which piece of it.
        number: u32,
    },
}

/// Reads pieces in order.
#[derive(Default)]
pub struct Reader {
    open: Option<Open>,
    /// This segment cannot be read on.
    skipped: Option<u64>,
}

struct Open {
    segment: u64,
    next: u32,
    coder: Coder,
    unpacker: Unpacker,
}

impl Reader {
    /// The events of the next piece. Those before a damage are given along with it; pieces of a
    /// segment that was given up are silently passed over.
    pub fn read(&mut self, chunk: &HistoryChunk) -> (Vec<(Time, Event)>, Option<ReadError>) {
        let mut events = Vec::new();
        let (segment, number) = (chunk.segment, chunk.number);
        if self.skipped == Some(segment) {
            return (events, None);
        }
        if let Some(format) = chunk.body.first().copied().filter(|f| *f > FORMAT) {
            return (events, Some(ReadError::Newer(format)));
        }
        if self.open.as_ref().is_none_or(|open| open.segment != segment) {
            let (coder, unpacker) = (Coder::default(), Unpacker::new());
            self.open = Some(Open { segment, next: 0, coder, unpacker });
        }
        let Some(open) = &mut self.open else { return (events, None) };
        let error = if open.next == number {
            open.next = number.saturating_add(1);
            let why = open.read(&chunk.body, &mut events).err();
            why.map(|why| ReadError::Damaged { segment, number, why })
        } else {
            Some(ReadError::Missing { segment, number: open.next })
        };
        if error.is_some() {
            self.skipped = Some(segment);
        }
        (events, error)
    }
}

impl Open {
    fn read(&mut self, body: &[u8], events: &mut Vec<(Time, Event)>) -> Result<(), Damaged> {
        let raw = self.unpacker.unpack(body)?;
        let mut from = Bytes(&raw);
        while !from.is_empty() {
            events.push(self.coder.take(&mut from)?);
        }
        Ok(())
    }
}
