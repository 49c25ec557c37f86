//! A piece of the history as the store keeps it.

use serde::{Deserialize, Serialize};

use super::Ts;

/// Part of a segment of the journal: some inputs of the engine, coded and compressed. It can be
/// read after all pieces of its segment before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChunk {
    /// Its segment; they grow.
    pub segment: u64,
    /// Its place in the segment, from 0.
    pub number: u32,
    /// The segment begins with the start of a process: what follows can be repeated exactly.
    pub from_start: bool,
    /// Wall time of its first input.
    pub first: Ts,
    /// Wall time of its last input.
    pub last: Ts,
    /// The inputs.
    pub body: Vec<u8>,
}

/// Which pieces of the history are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryPage {
    /// What happened from this wall time on, and what is needed to understand it.
    pub since: Ts,
    /// Only pieces after this (segment, number).
    pub after: Option<(u64, u32)>,
}
