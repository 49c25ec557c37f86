//! The printed table, and the statistics in it.

/// What a figure is measured against.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// No goal, just told.
    None,
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

/// Rows: what, figure, goal.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, String, String)>);

impl Table {
    /// Adds a row: the figure that is judged, its unit, and what else there is to say.
    pub(crate) fn row(&mut self, what: &str, figure: f64, unit: &str, goal: Goal, note: &str) {
        let judged = match goal {
            Goal::None => String::new(),
            Goal::AtMost(most) => {
                let word = if figure <= most { "ok" } else { "OVER" };
                format!("≤ {} {word}, {:.2} of it", number(most), figure / most)
            }
            Goal::AtLeast(least) => {
                let word = if figure >= least { "ok" } else { "UNDER" };
                format!("≥ {} {word}, {:.2} of it", number(least), figure / least)
            }
        };
        let note = if note.is_empty() { String::new() } else { format!("  ({note})") };
        self.0.push((what.to_owned(), format!("{} {unit}{note}", number(figure)), judged));
    }

    /// Adds all rows of another one.
    pub(crate) fn append(&mut self, other: Table) {
        self.0.extend(other.0);
    }

    /// As a table of a page.
    pub(crate) fn markdown(&self) -> String {
        let row = |(what, figure, goal): &(String, String, String)| {
            // What is indented belongs to the row above.
            let indent = if what.starts_with(' ') { "&nbsp;&nbsp;" } else { "" };
            format!("| {indent}{} | {} | {goal} |\n", what.trim(), figure.trim())
        };
        let rows: String = self.0.iter().map(row).collect();
        format!("| what | figure | goal |\n| --- | --- | --- |\n{rows}")
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        let width = |text: &str| text.chars().count();
        let widest = |of: fn(&(String, String, String)) -> &String| {
            self.0.iter().map(|row| width(of(row))).max().unwrap_or(0)
        };
        let (first, last) = (widest(|r| &r.0), widest(|r| &r.2));
        let pad = |text: &str, to: usize| format!("{text}{}", " ".repeat(to - width(text)));
        println!("\n{}  {}  figure", pad("what", first), pad("goal", last.max(4)));
        for (what, figure, goal) in &self.0 {
            println!("{}  {}  {figure}", pad(what, first), pad(goal, last.max(4)));
        }
    }
}

/// Three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// `min / median / max` of some figures.
pub(crate) fn spread(values: &[f64]) -> String {
    let at = |q| number(quantile(values, q));
    format!("{} / {} / {}", at(0.0), at(0.5), at(1.0))
}

/// A quantile by nearest rank; 0 of nothing.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (q * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(rank).copied().unwrap_or(0.0)
}
