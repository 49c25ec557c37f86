//! A short print of a condition: equal for equal conditions, however they are written, in any
//! process.

use std::fmt::{self, Write};

use super::Condition;

/// 64-bit FNV-1a, fed with text.
struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

impl Condition {
    /// The print, 16 hex digits. Made of what the condition was read as, so that spelling and places
    /// do not matter; a version of Weir that reads a kind otherwise prints it otherwise.
    pub fn print(&self) -> String {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        // Writing into it cannot fail.
        let _ = write!(hash, "{self:?}");
        format!("{:016x}", hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Condition {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn spelling_does_not_matter_and_values_do() {
        let one = of("{ lag: { above: 1000, catch_up_above: 5m } }");
        assert_eq!(one.print(), of("lag:\n  catch_up_above: 300s\n  above: 1000").print());
        assert_ne!(one.print(), of("{ lag: { above: 1001, catch_up_above: 5m } }").print());
    }

    /// Kept in stores: another print makes every firing alert one of a changed rule.
    #[test]
    fn prints_stay_as_they_are() {
        assert_eq!(of("{ job_state: { any_of: [FAILED] } }").print(), "e98e88c97d590251");
    }
}
