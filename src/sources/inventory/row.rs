//! One row of an answer. Everything in it may be missing, empty or nonsense.

/// Values by the names of their columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'r> {
    fields: &'r [String],
    values: &'r [Option<String>],
}

impl<'r> Row<'r> {
    pub(super) fn new(fields: &'r [String], values: &'r [Option<String>]) -> Row<'r> {
        Row { fields, values }
    }

    /// A text; an empty one is none.
    pub(super) fn text(&self, field: &str) -> Option<&'r str> {
        let at = self.fields.iter().position(|known| known == field)?;
        let text = self.values.get(at)?.as_deref()?.trim();
        (!text.is_empty() && !text.eq_ignore_ascii_case("null")).then_some(text)
    }

    /// The same, for keeping.
    pub(super) fn owned(&self, field: &str) -> Option<String> {
        self.text(field).map(str::to_owned)
    }

    /// A whole number.
    pub(super) fn number(&self, field: &str) -> Option<i64> {
        self.text(field)?.parse().ok()
    }

    /// A flag: PostgreSQL's `true`, MySQL's `1`.
    pub(super) fn flag(&self, field: &str) -> Option<bool> {
        match self.text(field)? {
            "1" | "t" | "true" => Some(true),
            "0" | "f" | "false" => Some(false),
            _ => None,
        }
    }
}

/// Rows from pairs, for tests: `[("a.id", "1")]`.
#[cfg(test)]
pub(super) struct Made(Vec<String>, Vec<Option<String>>);

#[cfg(test)]
impl Made {
    pub(super) fn of(pairs: &[(&str, &str)]) -> Made {
        let names = pairs.iter().map(|(name, _)| (*name).to_owned()).collect();
        Made(names, pairs.iter().map(|(_, value)| Some((*value).to_owned())).collect())
    }

    pub(super) fn row(&self) -> Row<'_> {
        Row::new(&self.0, &self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_of_nothing() {
        let made = Made::of(&[
            ("a", " x "),
            ("b", ""),
            ("c", "NULL"),
            ("n", "-9"),
            ("m", "1e3"),
            ("t", "true"),
            ("f", "0"),
            ("q", "2"),
        ]);
        let row = made.row();
        let texts = ["a", "b", "c", "z"].map(|name| row.text(name));
        assert_eq!(texts, [Some("x"), None, None, None]);
        assert_eq!(["n", "m", "z"].map(|name| row.number(name)), [Some(-9), None, None]);
        assert_eq!(["t", "f", "q"].map(|name| row.flag(name)), [Some(true), Some(false), None]);
        assert_eq!(Row::new(&["a".to_owned()], &[]).text("a"), None, "a row that is too short");
    }
}
