//! Which ResourceManager of a pair is the active one: pure.

use super::answer::Trouble;
use super::wire::Info;

/// The one that was active last; asked first, and alone as long as it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Ha {
    current: usize,
}

/// What one of them said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Active(Info),
    Not(Trouble),
}

impl Ha {
    /// The one to ask first, of so many.
    pub(super) fn first(&self, count: usize) -> usize {
        if self.current < count { self.current } else { 0 }
    }

    /// The others, in the order in which they are taken.
    pub(super) fn others(&self, count: usize) -> Vec<usize> {
        let first = self.first(count);
        (1..count).map(|step| (first + step) % count).collect()
    }

    /// Takes in that this one is active.
    pub(super) fn settle(&mut self, index: usize) {
        self.current = index;
    }
}

/// What `info` says: only `ACTIVE` has its applications read back. Without high availability it is
/// `ACTIVE` too; versions that do not tell are taken at their `state`.
pub(super) fn standing(info: Info, shown: &str) -> Standing {
    let state = info.state.as_deref().unwrap_or("");
    match info.ha_state.as_deref() {
        Some("ACTIVE") => Standing::Active(info),
        None if state == "STARTED" => Standing::Active(info),
        Some("STANDBY") => Standing::Not(Trouble::Standby),
        word => {
            let word = word.unwrap_or(state);
            Standing::Not(Trouble::Starting(format!("{shown} is {word}: it is starting, or ends")))
        }
    }
}

/// Why none of them can be used, and whether that goes away by itself. Each with its address.
pub(super) fn none_active(said: &[(String, Trouble)]) -> (String, bool) {
    let of = |wanted: fn(&Trouble) -> bool| said.iter().find(|(_, trouble)| wanted(trouble));
    let others = match said.len() {
        0 | 1 => String::new(),
        n => format!("; {} more asked", n - 1),
    };
    if let Some((shown, _)) = of(|trouble| *trouble == Trouble::Kerberos) {
        return (super::answer::kerberos(shown), false);
    }
    if let Some((_, Trouble::Starting(why))) = of(|trouble| matches!(trouble, Trouble::Starting(_)))
    {
        return (format!("no ResourceManager is active: {why}{others}"), true);
    }
    // The other one of the pair is gone: that is what somebody has to look at.
    let broken = of(|trouble| matches!(trouble, Trouble::Other(_)));
    let passive = of(|trouble| matches!(trouble, Trouble::Standby | Trouble::NoActive));
    match (broken, passive) {
        (Some((_, Trouble::Other(why))), None) => (format!("{why}{others}"), false),
        (Some((_, Trouble::Other(why))), Some((shown, _))) => {
            (format!("no ResourceManager is active: {shown} is standby, and {why}"), true)
        }
        (_, Some((shown, _))) if said.len() == 1 => (
            format!(
                "{shown} is a standby ResourceManager (add the other one to `resource_managers`)"
            ),
            true,
        ),
        (_, Some(_)) => {
            (format!("no ResourceManager is active: all {} are standby", said.len()), true)
        }
        _ => ("no ResourceManager is configured".to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_active_one_is_asked_first() {
        let mut ha = Ha::default();
        assert_eq!((ha.first(2), ha.others(2)), (0, vec![1]));
        ha.settle(1);
        assert_eq!((ha.first(3), ha.others(3)), (1, vec![2, 0]));
        assert_eq!((ha.first(1), ha.others(1)), (0, vec![]), "after a reload with fewer");
    }

    #[test]
    fn only_an_active_one_is_taken() {
        let info = |ha: Option<&str>, state: Option<&str>| Info {
            started_on: Some(1),
            state: state.map(str::to_owned),
            ha_state: ha.map(str::to_owned),
        };
        for (ha, state, active) in [
            (Some("ACTIVE"), Some("STARTED"), true),
            (None, Some("STARTED"), true),
            (None, Some("INITED"), false),
            (Some("STANDBY"), Some("STARTED"), false),
            (Some("INITIALIZING"), Some("STARTED"), false),
            (Some("STOPPING"), Some("STARTED"), false),
            (None, None, false),
        ] {
            let standing = standing(info(ha, state), "rm");
            assert_eq!(matches!(standing, Standing::Active(_)), active, "{ha:?} {state:?}");
        }
    }

    #[test]
    fn why_none_is_active_is_said_in_one_line() {
        let starting = || Trouble::Starting("rm-2 is INITIALIZING".to_owned());
        let broken = || Trouble::Other("cannot connect to rm-1".to_owned());
        for (said, words, by_itself) in [
            (vec![broken()], "cannot connect to rm-1", false),
            (vec![broken(), broken()], "cannot connect to rm-1; 1 more asked", false),
            (vec![broken(), starting()], "rm-2 is INITIALIZING", true),
            (vec![broken(), Trouble::Standby], "rm-1 is standby, and cannot connect", true),
            (vec![Trouble::Standby, Trouble::NoActive], "all 2 are standby", true),
            (vec![Trouble::Standby], "add the other one", true),
            (vec![Trouble::Kerberos, broken()], "only speaks Kerberos", false),
            (vec![], "no ResourceManager is configured", false),
        ] {
            let said: Vec<_> = (0..).map(|n| format!("rm-{n}")).zip(said).collect();
            let (line, starts) = none_active(&said);
            assert!(line.contains(words) && starts == by_itself, "{line} {starts}");
        }
    }
}
