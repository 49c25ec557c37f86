//! Pieces of a history one after the other: what the API sends and what is saved.

use super::bytes::put_i64;
use super::bytes::{Bytes, Damaged, put_bytes, put_u64};
use crate::model::{HistoryChunk, Ts};

/// How such a file begins; the last byte is its format.
pub const MAGIC: &[u8] = b"weir history \x01";

/// Appends a piece.
pub fn put(chunk: &HistoryChunk, out: &mut Vec<u8>) {
    put_u64(chunk.segment, out);
    put_u64(u64::from(chunk.number), out);
    out.push(u8::from(chunk.from_start));
    put_i64(chunk.first.0, out);
    put_i64(chunk.last.0, out);
    put_bytes(&chunk.body, out);
}

/// Why a file is no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Something else.
    #[error("this is no history of weir; save one with `weir history --out FILE`")]
    Foreign,
    /// Of a newer Weir.
    #[error("the history is written in file format {0}, this weir knows up to 1; use a newer weir")]
    Newer(u8),
    /// Cut off in the middle.
    #[error("the history ends in the middle of a piece; what comes before it is used")]
    CutOff,
}

/// All pieces of a file; with what is wrong at its end.
///
/// # Errors
/// When it is no history that can be read.
pub fn read(bytes: &[u8]) -> Result<(Vec<HistoryChunk>, Option<FileError>), FileError> {
    let (head, rest) = bytes.split_at_checked(MAGIC.len()).ok_or(FileError::Foreign)?;
    match (head.split_last(), MAGIC.split_last()) {
        (Some((format, head)), Some((known, magic))) if head == magic => {
            if format > known {
                return Err(FileError::Newer(*format));
            }
        }
        _ => return Err(FileError::Foreign),
    }
    let mut from = Bytes(rest);
    let mut chunks = Vec::new();
    while !from.is_empty() {
        match piece(&mut from) {
            Ok(chunk) => chunks.push(chunk),
            Err(_) => return Ok((chunks, Some(FileError::CutOff))),
        }
    }
    Ok((chunks, None))
}

fn piece(from: &mut Bytes<'_>) -> Result<HistoryChunk, Damaged> {
    Ok(HistoryChunk {
        segment: from.u64()?,
        number: u32::try_from(from.u64()?).map_err(|_| Damaged("a number is too large"))?,
        from_start: from.byte()? != 0,
        first: Ts(from.i64()?),
        last: Ts(from.i64()?),
        body: from.bytes()?.to_vec(),
    })
}
