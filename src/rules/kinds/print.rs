//! A short print of a condition: equal for equal conditions, however they are written, in any
//! process.

use super::Condition;

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

    /// Kept in stores: another print makes every firing alert one of a changed rule.
    #[test]
    fn prints_stay_as_they_are() {
        assert_eq!(of("{ job_state: { any_of: [FAILED] } }").print(), "e98e88c97d590251");
    }
}
