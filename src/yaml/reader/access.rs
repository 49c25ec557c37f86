//! How the parts of a list, mapping or enum are handed to serde, each with its place.

use serde::de::value::{MapAccessDeserializer, StrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::Reader;
use crate::yaml::fault::Fault;
use crate::yaml::tree::{Entry, Node, Place};

pub(crate) struct Items<'t> {
    pub(crate) reader: Reader<'t>,
    pub(crate) items: std::slice::Iter<'t, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let reader = self.reader;
        match self.items.find(|item| reader.live(item)) {
            Some(item) => {
                let reader = reader.at(item);
                reader.place(seed.deserialize(reader)).map(Some)
            }
            None => Ok(None),
        }
    }
}

pub(crate) struct Pairs<'t> {
    pub(crate) reader: Reader<'t>,
    pub(crate) entries: std::slice::Iter<'t, Entry>,
    pub(crate) value: Option<&'t Node>,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let reader = self.reader;
        let Some(entry) = self.entries.find(|e| reader.live(&e.value)) else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|f| f.at_key(&entry.value, entry.place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(value) = self.value.take() else {
            return Err(Fault::custom("a value without a key"));
        };
        let reader = self.reader.at(value);
        reader.place(seed.deserialize(reader))
    }
}

/// A value with its place, for [`crate::yaml::at::At`].
pub(crate) struct Placed<'t> {
    pub(crate) reader: Reader<'t>,
    pub(crate) step: u8,
}

impl<'de> SeqAccess<'de> for Placed<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Place { line, column } = self.reader.node.place;
        let number = |n: u32| -> U32Deserializer<Fault> { n.into_deserializer() };
        self.step += 1;
        match self.step {
            1 => seed.deserialize(number(line)).map(Some),
            2 => seed.deserialize(number(column)).map(Some),
            3 => seed.deserialize(self.reader).map(Some),
            _ => Ok(None),
        }
    }
}

/// The chosen variant of an enum.
pub(crate) struct Picked<'t> {
    pub(crate) reader: Reader<'t>,
    pub(crate) name: &'t str,
    /// Where the kind stands if it is a key; a bare word has no settings.
    pub(crate) key: Option<Place>,
}

impl<'de> EnumAccess<'de> for Picked<'de> {
    type Error = Fault;
    type Variant = Picked<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Picked<'de>), Fault> {
        let name: StrDeserializer<'_, Fault> = self.name.into_deserializer();
        match seed.deserialize(name) {
            Ok(value) => Ok((value, self)),
            Err(fault) => Err(match self.key {
                Some(key) => fault.naming("kind").at_key(self.reader.node, key),
                None => fault,
            }),
        }
    }
}

impl<'de> Picked<'de> {
    fn content<V: Visitor<'de>>(self, visitor: V, list: bool) -> Result<V::Value, Fault> {
        match self.key {
            Some(_) if list => self.reader.deserialize_seq(visitor),
            Some(_) => self.reader.deserialize_map(visitor),
            None => self.reader.place(visitor.visit_map(self.reader.map(&[]))),
        }
    }
}

impl<'de> VariantAccess<'de> for Picked<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        if self.key.is_none() || self.reader.node.is_empty() {
            return Ok(());
        }
        self.reader.wrong("nothing here")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        if self.key.is_some() {
            return self.reader.place(seed.deserialize(self.reader));
        }
        // The bare word stands for all defaults.
        let empty = MapAccessDeserializer::new(self.reader.map(&[]));
        self.reader.place(seed.deserialize(empty))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content(visitor, true)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content(visitor, false)
    }
}
