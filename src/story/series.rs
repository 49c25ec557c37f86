//! The compact notation of values over time, one per interval: `1+0x6`, `5-1x3`, `_x4`, `stale`,
//! `RUNNINGx30 FAILED`.
//!
//! Numbers are promtool's: `a+bxn` is `a`, `a+b`, … up to `a+b·n`, which are n + 1 values, and
//! `axn` is `a+0xn`. A word is written n times by `wordxn`, as promtool's `_xn`.

use std::fmt;

/// More values in one series are a mistake.
pub(super) const MAX_VALUES: usize = 100_000;

/// One value of a series.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// A number.
    Number(f64),
    /// A word, such as `RUNNING`.
    Word(String),
    /// `_`: asked for, no answer.
    Gap,
    /// `stale`: not reported any more.
    Stale,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sample::Number(value) => write!(f, "{value}"),
            Sample::Word(word) => f.write_str(word),
            Sample::Gap => f.write_str("_"),
            Sample::Stale => f.write_str("stale"),
        }
    }
}

/// Reads a series: items separated by blanks.
///
/// # Errors
/// Names the item that cannot be read, and how items look.
pub(super) fn parse(text: &str) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    for item in text.split_whitespace() {
        let before = samples.len();
        read(item, &mut samples).ok_or_else(|| {
            let shown = crate::yaml::tree::excerpt(item);
            format!(
                "`{shown}` is no item of a series: write 5, 5x3, 1+2x3, 5-1x3, _, _x3, stale or \
                 WORDx3"
            )
        })?;
        if samples.len() == before || samples.len() > MAX_VALUES {
            return Err(format!("a series has 1 to {MAX_VALUES} values"));
        }
    }
    if samples.is_empty() {
        return Err("the series is empty: write at least one value".to_owned());
    }
    Ok(samples)
}

fn read(item: &str, samples: &mut Vec<Sample>) -> Option<()> {
    let (what, times) = match item.rsplit_once('x') {
        Some((what, digits)) if is_count(digits) && !what.is_empty() => {
            // Beyond the bound it is one too many, whatever it says.
            let times = digits.parse::<usize>().unwrap_or(MAX_VALUES).min(MAX_VALUES);
            (what, Some(times))
        }
        _ => (item, None),
    };
    match what {
        "_" => repeat(samples, &Sample::Gap, times.unwrap_or(1)),
        "stale" => repeat(samples, &Sample::Stale, times.unwrap_or(1)),
        _ if is_word(what) => {
            repeat(samples, &Sample::Word(what.to_owned()), times.unwrap_or(1));
        }
        _ => {
            let (start, step) = number_and_step(what)?;
            // Without a count a step says nothing.
            if step.is_some() && times.is_none() {
                return None;
            }
            let step = step.unwrap_or(0.0);
            for i in 0..=times.unwrap_or(0) {
                samples.push(Sample::Number(start + step * i as f64));
            }
        }
    }
    Some(())
}

fn repeat(samples: &mut Vec<Sample>, sample: &Sample, times: usize) {
    samples.extend(std::iter::repeat_n(sample, times).cloned());
}

fn is_count(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    // `x5` is a repetition of nothing.
    text.starts_with(|c: char| c.is_ascii_alphabetic() && c != 'x')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `1`, `-1.5e3`, `1+2`, `1-2`; a sign after `e` belongs to the number before it.
fn number_and_step(text: &str) -> Option<(f64, Option<f64>)> {
    if let Some(number) = number(text) {
        return Some((number, None));
    }
    let signs = text.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-'));
    for (at, _) in signs {
        let (start, step) = text.split_at(at);
        if let (Some(start), Some(step)) = (number(start), number(step)) {
            return Some((start, Some(step)));
        }
    }
    None
}

fn number(text: &str) -> Option<f64> {
    let usual = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    text.parse::<f64>().ok().filter(|n| usual && n.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let samples = parse(text).unwrap();
        samples.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn series_are_read_as_promtool_does() {
        for (text, expected) in [
            ("1", "1"),
            ("1 2  3", "1 2 3"),
            ("1+0x3", "1 1 1 1"),
            ("1x3", "1 1 1 1"),
            ("0+1000x3", "0 1000 2000 3000"),
            ("5-1x3", "5 4 3 2"),
            ("-2+1x2", "-2 -1 0"),
            ("1e3x1", "1000 1000"),
            ("1e-1+1e-1x1", "0.1 0.2"),
            ("_x4 stale", "_ _ _ _ stale"),
            ("RUNNINGx2 FAILED", "RUNNING RUNNING FAILED"),
            ("1x0", "1"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for bad in
            ["", "1+2", "x5", "1x", "1xx3", "#", "_x0", "NaNx-1", "1+x3", "--1", "1x99999999999"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-0-9+x_. eEstaleRUN]{0,40}") {
            if let Ok(samples) = parse(&text) {
                prop_assert!((1..=MAX_VALUES).contains(&samples.len()));
            }
        }

        #[test]
        fn what_is_shown_reads_back(values in prop::collection::vec(sample(), 1..20)) {
            let text = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(parse(&text).unwrap(), values);
        }
    }

    fn sample() -> impl Strategy<Value = Sample> {
        prop_oneof![
            (-1e12f64..1e12).prop_map(Sample::Number),
            "[A-Z]{1,12}".prop_map(Sample::Word),
            Just(Sample::Gap),
            Just(Sample::Stale),
        ]
    }
}
