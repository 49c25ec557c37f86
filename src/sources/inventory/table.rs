//! Tables of an inventory and the columns that are read, each with the versions that have it. What is
//! selected, what must be granted and what the documentation says all come from here.

/// Versions that differ in what is read, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vintage {
    /// As it is named on the command line.
    pub name: &'static str,
    bit: u8,
}

pub(super) const OLD: u8 = 1;
pub(super) const MIDDLE: u8 = 2;
pub(super) const NEW: u8 = 4;
pub(super) const ALL: u8 = OLD | MIDDLE | NEW;

/// Versions of StreamPark that differ in what is read. Dinky has one set of columns for all.
pub const VINTAGES: [Vintage; 3] = [
    Vintage { name: "2.1.0", bit: OLD },
    Vintage { name: "2.1.4", bit: MIDDLE },
    Vintage { name: "2.2", bit: NEW },
];

impl Vintage {
    /// The one that is valid for a version such as `2.1.7`.
    pub fn of(version: &str) -> Option<Vintage> {
        let mut parts = version.split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let mut next = || parts.next().flatten();
        let (major, minor, patch) = (next()?, next().unwrap_or(0), next().unwrap_or(0));
        let at = match (major, minor, patch) {
            (0 | 1, ..) => return None,
            (2, 0, _) | (2, 1, 0..4) => 0,
            (2, 1, _) => 1,
            _ => 2,
        };
        VINTAGES.get(at).copied()
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
        for (version, expected) in [
            ("2.0.0", Some("2.1.0")),
            ("2.1.2", Some("2.1.0")),
            ("2.1.3", Some("2.1.0")),
            ("2.1.4", Some("2.1.4")),
            ("2.1.7", Some("2.1.4")),
            ("2.1.8-rc1", Some("2.1.4")),
            ("2.2", Some("2.2")),
            ("2.2.0-SNAPSHOT", Some("2.2")),
            ("3.0", Some("2.2")),
            ("1.2.4", None),
            ("latest", None),
            ("", None),
        ] {
            assert_eq!(Vintage::of(version).map(|v| v.name), expected, "{version}");
        }
    }
}
