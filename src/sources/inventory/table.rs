//! Tables of an inventory and the columns that are read, each with the versions that have it. What is
//! selected, what must be granted and what the documentation says all come from here.

/// A version of an inventory from which on other columns are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vintage {
    /// As it is named on the command line.
    pub name: &'static str,
    from: (u32, u32, u32),
    bit: u8,
}

/// StreamPark 2.0: its log does not say what was tried.
pub(super) const FIRST: u8 = 1;
/// StreamPark 2.1.0 to 2.1.3.
pub(super) const OLD: u8 = 2;
/// StreamPark 2.1.4 to 2.1.8.
pub(super) const MIDDLE: u8 = 4;
/// StreamPark 2.2.
pub(super) const NEW: u8 = 8;
/// Dinky 1.0: a task has no owner.
pub(super) const DINKY_OLD: u8 = 16;
/// Dinky 1.1 and later.
pub(super) const DINKY_NEW: u8 = 32;
pub(super) const ALL: u8 = FIRST | OLD | MIDDLE | NEW | DINKY_OLD | DINKY_NEW;

const fn vintage(name: &'static str, from: (u32, u32, u32), bit: u8) -> Vintage {
    Vintage { name, from, bit }
}

/// Versions of StreamPark that differ in what is read, oldest first.
pub(super) const STREAMPARK: &[Vintage] = &[
    vintage("2.0", (2, 0, 0), FIRST),
    vintage("2.1.0", (2, 1, 0), OLD),
    vintage("2.1.4", (2, 1, 4), MIDDLE),
    vintage("2.2", (2, 2, 0), NEW),
];

/// The same of Dinky.
pub(super) const DINKY: &[Vintage] =
    &[vintage("1.0", (1, 0, 0), DINKY_OLD), vintage("1.1", (1, 1, 0), DINKY_NEW)];

impl Vintage {
    /// The one that is valid for a version such as `2.1.7`.
    pub(super) fn of(vintages: &[Vintage], version: &str) -> Option<Vintage> {
        let mut parts = version.split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let mut next = || parts.next().flatten();
        let version = (next()?, next().unwrap_or(0), next().unwrap_or(0));
        vintages.iter().rev().find(|vintage| vintage.from <= version).copied()
    }

    pub(super) fn has(self, vintages: u8) -> bool {
        self.bit & vintages != 0
    }
}

/// One column that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Versions that have it.
    pub(super) vintages: u8,
    /// Without it nothing can be said.
    pub(super) must: bool,
    /// Characters that are read of it.
    pub(super) cut: u32,
}

/// Characters read of most columns.
const CUT: u32 = 500;

/// A column that every version has.
pub(super) const fn column(name: &'static str) -> Column {
    Column { name, vintages: ALL, must: false, cut: CUT }
}

impl Column {
    /// Without it nothing can be said.
    pub(super) const fn must(self) -> Column {
        Column { must: true, ..self }
    }

    /// Only some versions have it.
    pub(super) const fn only(self, vintages: u8) -> Column {
        Column { vintages, ..self }
    }

    /// A long text, of which so much is read.
    pub(super) const fn cut(self, cut: u32) -> Column {
        Column { cut, ..self }
    }
}

/// A table that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Its short name in a query, and in the names of fields: `a.job_name`.
    pub(super) alias: &'static str,
    /// Versions that have it.
    pub(super) vintages: u8,
    pub(super) columns: &'static [Column],
    /// Own column, and the column of another table (by alias) it equals.
    pub(super) join: Option<(&'static str, (&'static str, &'static str))>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_their_columns() {
        for (version, streampark, dinky) in [
            ("2.0.0", Some("2.0"), Some("1.1")),
            ("2.1.0", Some("2.1.0"), Some("1.1")),
            ("2.1.3", Some("2.1.0"), Some("1.1")),
            ("2.1.4", Some("2.1.4"), Some("1.1")),
            ("2.1.8-rc1", Some("2.1.4"), Some("1.1")),
            ("2.2", Some("2.2"), Some("1.1")),
            ("2.2.0-SNAPSHOT", Some("2.2"), Some("1.1")),
            ("3.0", Some("2.2"), Some("1.1")),
            ("1.2.4", None, Some("1.1")),
            ("1.1.0", None, Some("1.1")),
            ("1.0.3", None, Some("1.0")),
            ("0.7.5", None, None),
            ("latest", None, None),
            ("", None, None),
        ] {
            let of = |vintages| Vintage::of(vintages, version).map(|vintage| vintage.name);
            assert_eq!((of(STREAMPARK), of(DINKY)), (streampark, dinky), "{version}");
        }
    }
}
