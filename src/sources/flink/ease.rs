//! How many calls a cluster gets at the same time: fewer while most of them take too long. Pure.

/// Calls to one cluster at the same time.
const MOST: usize = 8;

/// What the last looks taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ease {
    at_once: usize,
}

impl Default for Ease {
    fn default() -> Ease {
        Ease { at_once: MOST }
    }
}

impl Ease {
    /// Calls at the same time.
    pub(super) fn at_once(self) -> usize {
        self.at_once
    }

    /// After a look with so many `turns`, of which some took too long. One job that hangs is no
    /// reason to ask about the others more slowly; a cluster that hangs is.
    #[must_use]
    pub(super) fn after(self, turns: usize, too_slow: usize) -> Ease {
        let at_once = if too_slow * 2 > turns {
            self.at_once / 2
        } else if turns > 0 {
            self.at_once * 2
        } else {
            self.at_once
        };
        Ease { at_once: at_once.clamp(1, MOST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_while_most_are_too_slow_and_doubles_after() {
        let mut ease = Ease::default();
        for (turns, too_slow, expected) in [
            (8, 8, 4),
            (8, 5, 2),
            (4, 4, 1),
            (1, 1, 1),
            (0, 0, 1),
            (4, 1, 2),
            (4, 0, 4),
            (9, 4, 8),
            (100, 0, 8),
        ] {
            ease = ease.after(turns, too_slow);
            assert_eq!(ease.at_once(), expected, "{turns}, {too_slow}");
        }
    }
}
