//! A configuration file as a tree of values that know where they were written. Bounded: neither a
//! large file nor a small one full of aliases costs more than a few megabytes.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

impl From<Location> for Place {
    fn from(at: Location) -> Self {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: narrow(at.line()), column: narrow(at.column()) }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Unique in its tree.
    pub(crate) id: u32,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

#[derive(Clone)]
pub(crate) struct Scalar {
    /// As written, without quotes; after expansion, with the values of the environment.
    pub(crate) text: String,
    pub(crate) style: Style,
    /// What messages show instead of `text`: it came from the environment or is a secret.
    pub(crate) shown: Option<String>,
}

// Secrets are still in here: the text is never printed.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scalar").field("style", &self.style).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Null,
    Bool,
    Number,
    /// Quoted, or nothing else.
    Text,
    /// From the environment: text that may be read as a number or a truth value too.
    Expanded,
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|e| e.key == key).map(|e| &e.value)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        if let Kind::Map(entries) = &self.kind { entries } else { &[] }
    }

    pub(crate) fn items(&self) -> &[Node] {
        if let Kind::List(items) = &self.kind { items } else { &[] }
    }

    /// The text of a scalar that is not null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(s) if s.style != Style::Null => Some(&s.text),
            _ => None,
        }
    }

    /// Null, `[]` or `{}`.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Scalar(s) => s.style == Style::Null,
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
        }
    }

    /// For messages: what is there, never a secret.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
            Kind::Scalar(s) => match (s.style, &s.shown) {
                (Style::Null, _) => "nothing".to_owned(),
                (_, Some(shown)) => format!("`{shown}`"),
                (_, None) => format!("`{}`", excerpt(&s.text)),
            },
        }
    }
}

/// The first line of `text`, bounded.
pub(crate) fn excerpt(text: &str) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = chars.by_ref().take(60).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// Why a text is no tree.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) place: Place,
    pub(crate) what: String,
    /// The way out, where it is not to mend the YAML.
    pub(crate) hint: Option<&'static str>,
}

/// What the reader says of a bound, what that means, and the way out.
const BOUNDS: [(&str, &str, &str); 6] = [
    ("budget breached: Depth", "nested too deeply", "at most 48 levels are read"),
    ("recursion limit", "nested too deeply", "at most 48 levels are read"),
    ("budget breached: Documents", "a second document in one file", "give it a file of its own"),
    ("alias replay", "aliases that unfold to too much", "write out what is meant"),
    ("recursive references", "an alias inside of what it stands for", "write out what is meant"),
    ("budget breached", "more values than a file may have", "split the file"),
];

/// Reads one YAML document. Keys written twice come back as problems beside the tree.
pub(crate) fn read(text: &str) -> Result<(Node, Vec<(Place, String)>), SyntaxError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 48,
            max_nodes: 400_000,
            max_documents: 1,
            max_anchors: 1_000,
            max_aliases: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000 },
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    let raw: Option<Spanned<Raw>> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map(Place::from).unwrap_or_default();
            // Where nothing is known, it is the beginning.
            let place = Place { line: place.line.max(1), column: place.column.max(1) };
            let what = syntax_message(&error);
            let bound = BOUNDS.iter().find(|(sign, ..)| what.starts_with(sign));
            if let Some((_, what, hint)) = bound {
                SyntaxError { place, what: (*what).to_owned(), hint: Some(hint) }
            } else {
                let hint = syntax_hint(&what, text, place);
                SyntaxError { place, what, hint }
            }
        })?;
    let mut build = Build { text, next: 0, twice: Vec::new() };
    let root = match raw {
        Some(raw) => build.node(raw),
        None => Node { id: 0, place: Place { line: 1, column: 1 }, kind: Kind::Map(Vec::new()) },
    };
    Ok((root, build.twice))
}

/// The way out of the mistakes that are made most.
fn syntax_hint(what: &str, text: &str, place: Place) -> Option<&'static str> {
    let index = usize::try_from(place.line).ok()?.saturating_sub(1);
    let line = text.lines().nth(index).unwrap_or_default();
    if what.starts_with("tabs disallowed") {
        Some("indent with spaces; further mistakes may follow")
    } else if line.contains(": {{") || line.trim_start().starts_with("- {{") {
        Some("put a text that begins with `{{` in quotes")
    } else if what.starts_with("while parsing a block") {
        Some("indent it like what stands beside it, and further than what it belongs to")
    } else {
        None
    }
}

fn syntax_message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("unreadable");
    // The position stands in front already.
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let line = line.split(" at line ").next().unwrap_or(line);
    line.chars().take(200).collect()
}

struct Build<'t> {
    text: &'t str,
    next: u32,
    twice: Vec<(Place, String)>,
}

impl Build<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let id = self.next;
        self.next += 1;
        let written = || {
            let span = raw.defined.span();
            let from = usize::try_from(span.byte_offset()?).ok()?;
            let len = usize::try_from(span.byte_len()?).ok()?;
            let text = self.text.get(from..from.checked_add(len)?)?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let scalar = |text, style| Kind::Scalar(Scalar { text, style, shown: None });
        let kind = match raw.value {
            Raw::Null => scalar(String::new(), Style::Null),
            Raw::Bool(b) => scalar(b.to_string(), Style::Bool),
            Raw::Number(n) => scalar(written().unwrap_or(n), Style::Number),
            Raw::Text(t) => scalar(t, Style::Text),
            Raw::List(items) => Kind::List(items.into_iter().map(|i| self.node(i)).collect()),
            Raw::Map(pairs) => {
                let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
                let mut seen = std::collections::HashSet::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let place = Place::from(key.referenced);
                    if seen.insert(key.value.clone()) {
                        let value = self.node(value);
                        entries.push(Entry { key: key.value, place, value });
                    } else {
                        self.twice.push((place, key.value));
                    }
                }
                Kind::Map(entries)
            }
        };
        Node { id, place: Place::from(raw.referenced), kind }
    }
}

enum Raw {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Number(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(Raw::Number(v.to_string()))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Raw, E> {
        Ok(Raw::Number(v.to_string()))
    }

    fn visit_u128<E>(self, v: u128) -> Result<Raw, E> {
        Ok(Raw::Number(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Number(v.to_string()))
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Raw, E> {
        Ok(Raw::Text(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Map(pairs))
    }
}
