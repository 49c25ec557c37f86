//! Reads serde types from a tree and reports every mistake, although serde stops at the first:
//! the part that was wrong is passed over, and the whole is read again until it can be.

mod access;

use std::collections::HashSet;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use self::access::{Items, Pairs, Picked, Placed};
use super::at::MARKER;
use super::fault::Fault;
use super::findings::Findings;
use super::tree::{Entry, Kind, Node, Scalar, Style};

/// Reads a `T` with everything that is wrong with it reported. What can be read in spite of the
/// mistakes is returned, so that later checks see the rest.
pub(crate) fn read<T: DeserializeOwned>(tree: &Node, findings: &mut Findings) -> Option<T> {
    while !findings.full() {
        let fault = match T::deserialize(Reader { node: tree, dropped: findings.dropped() }) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let (id, place) = fault.at().unwrap_or((tree.id, tree.place));
        if let Some((what, hint)) = fault.words() {
            findings.error(place, what, hint);
        }
        if id == tree.id || findings.dropped().contains(&id) {
            return None;
        }
        findings.drop_node(id);
    }
    None
}

#[derive(Clone, Copy)]
struct Reader<'t> {
    node: &'t Node,
    dropped: &'t HashSet<u32>,
}

impl<'t> Reader<'t> {
    fn at(self, node: &'t Node) -> Reader<'t> {
        Reader { node, ..self }
    }

    fn place<T>(self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| fault.inside(self.node, |id| self.dropped.contains(&id)))
    }

    fn wrong<T>(self, expected: &str) -> Result<T, Fault> {
        let found = self.node.describe();
        self.place(Err(Fault::custom(format_args!("expected {expected}, found {found}"))))
    }

    fn scalar(self) -> Option<&'t Scalar> {
        match &self.node.kind {
            Kind::Scalar(scalar) if scalar.style != Style::Null => Some(scalar),
            _ => None,
        }
    }

    fn live(self, node: &Node) -> bool {
        !self.dropped.contains(&node.id)
    }

    fn list(self, items: &'t [Node]) -> Items<'t> {
        Items { reader: self, items: items.iter() }
    }

    fn map(self, entries: &'t [Entry]) -> Pairs<'t> {
        Pairs { reader: self, entries: entries.iter(), value: None }
    }

    /// A plain scalar as the number it reads as.
    fn number<N: std::str::FromStr>(self) -> Option<N> {
        self.scalar().filter(|s| s.style != Style::Text)?.text.trim().parse().ok()
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty, $words:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.number::<$type>() {
                Some(number) => self.place(visitor.$visit(number)),
                None => self.wrong($words),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.node.kind {
            Kind::List(items) => visitor.visit_seq(self.list(items)),
            Kind::Map(entries) => visitor.visit_map(self.map(entries)),
            Kind::Scalar(scalar) => match scalar.style {
                Style::Null => visitor.visit_unit(),
                Style::Bool => visitor.visit_bool(scalar.text == "true"),
                Style::Number => {
                    if let Ok(n) = scalar.text.parse::<u64>() {
                        visitor.visit_u64(n)
                    } else if let Ok(n) = scalar.text.parse::<i64>() {
                        visitor.visit_i64(n)
                    } else if let Ok(n) = scalar.text.parse::<f64>() {
                        visitor.visit_f64(n)
                    } else {
                        visitor.visit_borrowed_str(&scalar.text)
                    }
                }
                Style::Text | Style::Expanded => visitor.visit_borrowed_str(&scalar.text),
            },
        };
        self.place(result)
    }

    numbers! {
        deserialize_u8 visit_u8 u8, "a whole number from 0 to 255";
        deserialize_u16 visit_u16 u16, "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number, not negative";
        deserialize_u64 visit_u64 u64, "a whole number, not negative";
        deserialize_u128 visit_u128 u128, "a whole number, not negative";
        deserialize_i8 visit_i8 i8, "a whole number from -128 to 127";
        deserialize_i16 visit_i16 i16, "a whole number from -32768 to 32767";
        deserialize_i32 visit_i32 i32, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_i128 visit_i128 i128, "a whole number";
        deserialize_f32 visit_f32 f32, "a number";
        deserialize_f64 visit_f64 f64, "a number";
        deserialize_bool visit_bool bool, "true or false";
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.scalar() {
            Some(scalar) => self.place(visitor.visit_borrowed_str(&scalar.text)),
            // The visitor knows what it wants.
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Scalar(scalar) if scalar.style == Style::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.place(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::List(_) => self.deserialize_any(visitor),
            Kind::Scalar(s) if s.style == Style::Null => {
                self.place(visitor.visit_seq(self.list(&[])))
            }
            _ => self.wrong("a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.kind {
            Kind::Map(_) => self.deserialize_any(visitor),
            Kind::Scalar(s) if s.style == Style::Null => {
                self.place(visitor.visit_map(self.map(&[])))
            }
            _ => self.wrong("a mapping"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == MARKER {
            return self.place(visitor.visit_seq(Placed { reader: self, step: 0 }));
        }
        self.deserialize_seq(visitor)
    }

    /// `kind: { … }`, `kind:` or the bare word `kind`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Some(scalar) = self.scalar() {
            let picked = Picked { reader: self, name: &scalar.text, key: None };
            return self.place(visitor.visit_enum(picked));
        }
        let live: Vec<&Entry> =
            self.node.entries().iter().filter(|e| self.live(&e.value)).collect();
        match live.as_slice() {
            [entry] => {
                let reader = self.at(&entry.value);
                let picked = Picked { reader, name: &entry.key, key: Some(entry.place) };
                self.place(visitor.visit_enum(picked))
            }
            [] if !self.node.entries().is_empty() => self.place(Err(Fault::follows())),
            [] => self.wrong("one kind with its settings, such as `kind: { … }`"),
            [first, second, ..] => {
                let fault = Fault::custom(format_args!(
                    "expected exactly one kind here, found `{}` and `{}`",
                    first.key, second.key
                ));
                Err(fault.at_key(self.node, second.place))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit unit_struct }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }
}
