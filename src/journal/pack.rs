//! Pieces of a segment: one compressed stream, cut where it is written, each piece with a checksum.
//!
//! Since the stream goes on over the cuts, a small piece is compressed with all that came before it.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress};

use super::bytes::Damaged;

/// The format of a piece. A reader refuses newer ones.
pub(super) const FORMAT: u8 = 1;

/// Format byte and checksum.
const HEAD: usize = 5;

/// No piece is larger when it is unpacked; what claims to be is damaged, or made to harm.
const LARGEST: usize = 256 << 20;

/// The writing end.
pub(super) struct Packer(Compress);

impl Packer {
    pub(super) fn new() -> Packer {
        Packer(Compress::new(Compression::default(), false))
    }

    /// The next piece.
    pub(super) fn pack(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut body = vec![0; HEAD];
        let begun = self.0.total_in();
        loop {
            body.reserve(raw.len() / 4 + 64);
            let done = (self.0.total_in() - begun) as usize;
            let rest = raw.get(done..).unwrap_or_default();
            let ended = self.0.compress_vec(rest, &mut body, FlushCompress::Sync);
            let all = (self.0.total_in() - begun) as usize == raw.len();
            // Room is left: nothing more was to be written.
            if ended.is_err() || all && body.len() < body.capacity() {
                break;
            }
        }
        let mut crc = Crc::new();
        crc.update(body.get(HEAD..).unwrap_or_default());
        let head = [FORMAT].into_iter().chain(crc.sum().to_le_bytes());
        for (place, byte) in body.iter_mut().zip(head) {
            *place = byte;
        }
        body
    }
}

/// The reading end.
pub(super) struct Unpacker(Decompress);

impl Unpacker {
    pub(super) fn new() -> Unpacker {
        Unpacker(Decompress::new(false))
    }

    /// What [`Packer::pack`] took.
    pub(super) fn unpack(&mut self, body: &[u8]) -> Result<Vec<u8>, Damaged> {
        let (head, packed) = body.split_at_checked(HEAD).ok_or(Damaged("it is too short"))?;
        let mut crc = Crc::new();
        crc.update(packed);
        if head.get(1..) != Some(&crc.sum().to_le_bytes()[..]) {
            return Err(Damaged("its checksum is wrong"));
        }
        let mut raw = Vec::new();
        let begun = self.0.total_in();
        loop {
            raw.reserve(packed.len().clamp(64, 1 << 20));
            let before = (self.0.total_in(), raw.len());
            let rest = packed.get((before.0 - begun) as usize..).unwrap_or_default();
            self.0
                .decompress_vec(rest, &mut raw, FlushDecompress::Sync)
                .map_err(|_| Damaged("it cannot be unpacked"))?;
            if raw.len() > LARGEST {
                return Err(Damaged("it is too large"));
            }
            // Output may be held back after all of the input is in: until nothing moves any more.
            if (self.0.total_in(), raw.len()) == before {
                let all = (before.0 - begun) as usize == packed.len();
                return if all { Ok(raw) } else { Err(Damaged("it cannot be unpacked")) };
            }
        }
    }
}
