//! A short print of a condition: equal for equal conditions, however they are written, in any
//! process.

use std::sync::OnceLock;

use super::Condition;

/// The print of one condition, made when it is first asked for: a firing alert asks at every look. A
/// copy begins without, since copies are made to be changed.
#[derive(Default)]
pub struct Print(OnceLock<Box<str>>);

impl Print {
    /// The print of `of`, always the same condition.
    pub fn get(&self, of: &Condition) -> &str {
        self.0.get_or_init(|| of.print().into())
    }
}

impl Clone for Print {
    fn clone(&self) -> Print {
        Print::default()
    }
}

impl std::fmt::Debug for Print {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Print")
    }
}

impl Condition {
    /// The print, 16 hex digits. Made of what the condition was read as, so that spelling and places
    /// do not matter; a version of Weir that reads a kind otherwise prints it otherwise.
    pub fn print(&self) -> String {
        let hash = format!("{self:?}").bytes().fold(0xcbf2_9ce4_8422_2325, fnv_1a);
        format!("{hash:016x}")
    }
}

/// One step of 64-bit FNV-1a, which is the same everywhere, unlike the standard hasher.
fn fnv_1a(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
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

    #[test]
    fn a_copy_may_be_changed() {
        let (one, other) = (of("{ lag: { above: 1 } }"), of("{ lag: { above: 2 } }"));
        let print = Print::default();
        assert_eq!(print.get(&one), one.print());
        assert_eq!(print.clone().get(&other), other.print());
    }

    /// Kept in stores: another print makes every firing alert one of a changed rule.
    #[test]
    fn prints_stay_as_they_are() {
        assert_eq!(of("{ job_state: { any_of: [FAILED] } }").print(), "e98e88c97d590251");
    }
}
