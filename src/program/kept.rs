//! What is kept of something that may never stop talking.

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Its first bytes.
    Beginning(usize),
    /// Its last bytes.
    End(usize),
}

/// That part, as far as it was heard.
#[derive(Debug)]
pub(super) struct Kept {
    keep: Keep,
    bytes: Vec<u8>,
    /// Something before `bytes` was thrown away.
    cut: bool,
}

impl Kept {
    pub(super) fn new(keep: Keep) -> Kept {
        Kept { keep, bytes: Vec::new(), cut: false }
    }

    /// Takes what it needs of the next part.
    pub(super) fn hear(&mut self, said: &[u8]) {
        match self.keep {
            Keep::Beginning(most) => {
                let room = most.saturating_sub(self.bytes.len()).min(said.len());
                self.bytes.extend(said.iter().take(room));
            }
            Keep::End(most) => {
                self.bytes.extend_from_slice(said);
                // Twice as much for a while, so that bytes are not moved for every word.
                if self.bytes.len() > 2 * most {
                    self.cut_to(most);
                }
            }
        }
    }

    fn cut_to(&mut self, most: usize) {
        let over = self.bytes.len().saturating_sub(most);
        self.cut |= over > 0;
        self.bytes.drain(..over);
    }

    /// The part; where its beginning is missing, so is what a secret that was cut in two left there.
    pub(super) fn bytes(&self, longest_secret: usize) -> &[u8] {
        let Keep::End(most) = self.keep else { return &self.bytes };
        let over = self.bytes.len().saturating_sub(most);
        if over == 0 && !self.cut {
            return &self.bytes;
        }
        self.bytes.get(over + longest_secret..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keep: Keep, parts: &[&str], secret: usize) -> String {
        let mut kept = Kept::new(keep);
        for part in parts {
            kept.hear(part.as_bytes());
        }
        String::from_utf8_lossy(kept.bytes(secret)).into_owned()
    }

    #[test]
    fn either_end_is_kept_and_bounded() {
        let parts = ["abc", "def", "ghi", "jkl"];
        for (keep, expected) in [
            (Keep::Beginning(0), ""),
            (Keep::Beginning(4), "abcd"),
            (Keep::Beginning(99), "abcdefghijkl"),
            (Keep::End(4), "ijkl"),
            (Keep::End(5), "hijkl"),
            (Keep::End(12), "abcdefghijkl"),
            (Keep::End(99), "abcdefghijkl"),
        ] {
            assert_eq!(kept(keep, &parts, 0), expected, "{keep:?}");
        }
        let mut long = Kept::new(Keep::End(10));
        (0..10_000).for_each(|_| long.hear(b"0123456789"));
        assert!(long.bytes.len() <= 20 && long.bytes(0) == b"0123456789");
    }

    #[test]
    fn half_a_secret_is_not_kept() {
        // Of `hush-hush` the last five bytes would be left.
        assert_eq!(kept(Keep::End(9), &["my hush-hush end"], 9), "");
        assert_eq!(kept(Keep::End(12), &["my hush-hush end"], 9), "end");
        assert_eq!(kept(Keep::End(16), &["my hush-hush end"], 9), "my hush-hush end");
    }
}
