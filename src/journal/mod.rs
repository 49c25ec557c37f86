//! The journal: exactly the inputs of the engine's step, small enough to keep for weeks.
//!
//! Events are coded against what was known before (`delta`), collected by a [`Writer`], cut into
//! pieces and packed. Pieces belong to a segment, which begins with a [`Base`]: the state the store
//! gave the engine. With it and the inputs after it the same engine decides the same again, to the
//! byte: [`crate::replay`]. A segment that begins with the start of a process repeats exactly; one
//! that merely follows another (a day was over) is exact when it is read after that one.
//!
//! Pure: no clock, no files. Whatever the bytes are, reading them ends with an error, never in a
//! panic, and in bounded memory.

mod bytes;
mod coder;
mod delta;
mod event;
pub mod file;
mod inventory;
mod list;
mod maybe;
mod observed;
mod pack;
mod plain;
mod read;
#[cfg(test)]
mod tests;
mod words;
mod write;

pub use bytes::Damaged;
pub use event::{Base, DemandNote, Event, SentNote};
pub use read::{ReadError, Reader};
pub use write::Writer;
