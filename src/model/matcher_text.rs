//! Matchers as they are written: Alertmanager's UTF-8 syntax, read and written again.
//!
//! `{team="ads", env=~"prod|stage"}`; the braces may be left out, as may the quotes of a name or a
//! value without a reserved character. Inside quotes stand Go's and JSON's escapes. A backslash
//! before anything else is a backslash, as in Alertmanager's older syntax, so that `"\d+"` is a
//! regular expression; for the same reason `"\bword\b"` keeps its word boundaries in one.

use std::fmt::Write as _;

use super::labels::MatcherError;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) text: &'static str,
    pub(super) negated: bool,
    pub(super) is_regex: bool,
}

/// The longer ones first.
const OPERATORS: [Operator; 4] = [
    Operator { text: "=~", negated: false, is_regex: true },
    Operator { text: "!~", negated: true, is_regex: true },
    Operator { text: "!=", negated: true, is_regex: false },
    Operator { text: "=", negated: false, is_regex: false },
];

/// One matcher of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written<'a> {
    /// As it was written, without what stands around it.
    pub(super) text: &'a str,
    pub(super) name: String,
    pub(super) operator: Operator,
    pub(super) value: String,
}

/// Reads one or more matchers.
pub(super) fn read(text: &str) -> Result<Vec<Written<'_>>, MatcherError> {
    let mut reader = Reader { text, at: 0 };
    let braces = reader.take("{");
    let mut found = Vec::new();
    loop {
        reader.skip_space();
        let over = reader.rest().is_empty() || (braces && reader.rest().starts_with('}'));
        if over && !found.is_empty() {
            break;
        }
        let at = reader.at;
        match reader.matcher() {
            // `team=ads,env`: most likely one value with a comma.
            Err(MatcherError::Shape(_)) if !found.is_empty() => {
                let rest = text.get(at..).unwrap_or_default().trim_end();
                return Err(MatcherError::Comma(text.to_owned(), rest.to_owned()));
            }
            read => found.push(read?),
        }
        if !reader.take(",") {
            break;
        }
    }
    if braces && !reader.take("}") {
        return Err(MatcherError::Braces(text.to_owned()));
    }
    reader.skip_space();
    match reader.rest().chars().next() {
        None => Ok(found),
        Some('}') => Err(MatcherError::Braces(text.to_owned())),
        Some(_) => Err(MatcherError::Reserved(text.to_owned())),
    }
}

/// `name="value"`, which reads as what it is made of.
pub(super) fn equality(name: &str, value: &str) -> String {
    let bare = !name.is_empty() && !name.chars().any(|c| is_reserved(c) || is_unseen(c));
    let name = if bare { name.to_owned() } else { quote(name) };
    format!("{name}={}", quote(value))
}

fn is_reserved(c: char) -> bool {
    c.is_whitespace() || "{}!=~,\\\"'`".contains(c)
}

/// Characters that show nothing, or turn the text around them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn quote(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_unseen(c) => {
                write!(out, "\\u{:04x}", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes `what`, after any space, if it comes next.
    fn take(&mut self, what: &str) -> bool {
        self.skip_space();
        let next = self.rest().starts_with(what);
        if next {
            self.at += what.len();
        }
        next
    }

    fn matcher(&mut self) -> Result<Written<'a>, MatcherError> {
        let whole = || self.text.to_owned();
        let shape = MatcherError::Shape(whole());
        self.skip_space();
        let from = self.at;
        let name = match self.quoted(false) {
            Some(name) => name?,
            None => self.bare().to_owned(),
        };
        if name.is_empty() {
            return Err(shape);
        }
        let operator = OPERATORS.into_iter().find(|operator| self.take(operator.text));
        let operator = operator.ok_or(shape)?;
        self.skip_space();
        let value = if let Some(value) = self.quoted(operator.is_regex) {
            value?
        } else {
            let value = self.bare();
            if value.is_empty() {
                let reserved = self.rest().chars().next().is_some_and(|c| !",}".contains(c));
                return Err(if reserved {
                    MatcherError::Reserved(whole())
                } else {
                    MatcherError::Empty(whole(), name)
                });
            }
            value.to_owned()
        };
        let text = self.text.get(from..self.at).unwrap_or_default();
        self.skip_space();
        if self.rest().starts_with(|c: char| !",}".contains(c)) {
            return Err(MatcherError::Reserved(self.text.to_owned()));
        }
        Ok(Written { text, name, operator, value })
    }

    fn bare(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(is_reserved).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// What stands in quotes, if a quote comes next; an error when they do not end, or what they hold
    /// is no text.
    fn quoted(&mut self, is_regex: bool) -> Option<Result<String, MatcherError>> {
        let inner = self.rest().strip_prefix('"')?;
        let broken = || MatcherError::Open(self.text.to_owned());
        let mut out: Vec<u8> = Vec::new();
        let mut left = inner;
        loop {
            let mut chars = left.chars();
            let Some(c) = chars.next() else { return Some(Err(broken())) };
            left = chars.as_str();
            match c {
                '"' => break,
                '\\' => left = escape(left, is_regex, &mut out),
                c => push(c, &mut out),
            }
        }
        let read = String::from_utf8(out).map_err(|_| broken());
        self.at += self.rest().len() - left.len();
        Some(read)
    }
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Reads what follows a backslash, and gives what follows that.
fn escape<'a>(text: &'a str, is_regex: bool, out: &mut Vec<u8>) -> &'a str {
    let mut chars = text.chars();
    let after = |n: usize| text.get(n..).unwrap_or_default();
    let digits = |from: usize, n: usize, radix: u32| {
        let digits = text.get(from..from + n)?;
        let all = digits.chars().all(|c| c.is_digit(radix));
        u32::from_str_radix(digits, radix).ok().filter(|_| all)
    };
    let simple = match chars.next() {
        Some(c @ ('"' | '\\' | '/')) => Some(c),
        Some('n') => Some('\n'),
        Some('t') => Some('\t'),
        Some('r') => Some('\r'),
        Some('a') => Some('\u{7}'),
        Some('b') if !is_regex => Some('\u{8}'),
        Some('f') => Some('\u{c}'),
        Some('v') => Some('\u{b}'),
        _ => None,
    };
    if let Some(c) = simple {
        push(c, out);
        return chars.as_str();
    }
    let byte = match text.chars().next() {
        Some('x') => digits(1, 2, 16).map(|byte| (byte, 3)),
        Some('0'..='3') => digits(0, 3, 8).map(|byte| (byte, 3)),
        _ => None,
    };
    if let Some((byte, used)) = byte.and_then(|(b, n)| Some((u8::try_from(b).ok()?, n))) {
        out.push(byte);
        return after(used);
    }
    let point = match text.chars().next() {
        Some('u') => digits(1, 4, 16).and_then(|high| match (high, text.get(5..7)) {
            // JSON writes what is beyond four digits as two halves.
            (0xd800..=0xdbff, Some("\\u")) => {
                let low = digits(7, 4, 16).filter(|low| (0xdc00..=0xdfff).contains(low))?;
                Some((0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 11))
            }
            _ => Some((high, 5)),
        }),
        Some('U') => digits(1, 8, 16).map(|point| (point, 9)),
        _ => None,
    };
    if let Some((c, used)) = point.and_then(|(p, n)| Some((char::from_u32(p)?, n))) {
        push(c, out);
        return after(used);
    }
    out.push(b'\\');
    text
}

#[cfg(test)]
#[path = "matcher_text_tests.rs"]
mod tests;
