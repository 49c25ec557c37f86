//! Values coded against what was known before: what did not change costs nothing.
//!
//! A memory holds the last value of each part, also of what is absent now (a fact that was not
//! asked for at this poll): when it is back, only what differs is written. Both sides keep the same
//! memory; it changes by what is written and by nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bytes::{Bytes, Damaged, put_bytes, put_i64, put_u64};
use crate::model::{Completeness, JobKey, JobState, Labels, MetricKey, Metrics, Seen};

/// A value that can be coded against its predecessor.
pub(super) trait Delta: Sized {
    /// What is remembered of its predecessors.
    type Memory: Default;

    /// Nothing needs to be written.
    fn same(&self, memory: &Self::Memory) -> bool;

    /// Writes what differs, and remembers.
    fn put(&self, memory: &mut Self::Memory, out: &mut Vec<u8>);

    /// Reads what [`Delta::put`] wrote into the memory.
    fn take(memory: &mut Self::Memory, from: &mut Bytes<'_>) -> Result<(), Damaged>;

    /// The value as remembered.
    fn get(memory: &Self::Memory) -> Self;
}

/// Whether an element of a list is the successor of a remembered one.
pub(super) trait Identified: Delta {
    /// It is about the same thing.
    fn is(&self, memory: &Self::Memory) -> bool;
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {$(
        impl Delta for $kind {
            type Memory = $kind;
            fn same(&self, memory: &$kind) -> bool {
                self == memory
            }
            fn put(&self, memory: &mut $kind, out: &mut Vec<u8>) {
                put_i64((*self as i64).wrapping_sub(*memory as i64), out);
                *memory = *self;
            }
            fn take(memory: &mut $kind, from: &mut Bytes<'_>) -> Result<(), Damaged> {
                *memory = (*memory as i64).wrapping_add(from.i64()?) as $kind;
                Ok(())
            }
            fn get(memory: &$kind) -> $kind {
                *memory
            }
        }
    )*};
}

whole_numbers!(u32, u64, i64);

impl Delta for bool {
    type Memory = bool;
    fn same(&self, memory: &bool) -> bool {
        self == memory
    }
    fn put(&self, memory: &mut bool, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
        *memory = *self;
    }
    fn take(memory: &mut bool, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        *memory = from.byte()? != 0;
        Ok(())
    }
    fn get(memory: &bool) -> bool {
        *memory
    }
}

/// Whole numbers, which most metrics are, as the difference; others bit by bit.
impl Delta for f64 {
    type Memory = f64;
    fn same(&self, memory: &f64) -> bool {
        self.to_bits() == memory.to_bits()
    }
    fn put(&self, memory: &mut f64, out: &mut Vec<u8>) {
        match (whole(*self), whole(*memory)) {
            (Some(now), before) => {
                let step = now - before.unwrap_or(0);
                // The lowest bit tells the two forms apart.
                put_u64((((step << 1) ^ (step >> 63)) as u64) << 1, out);
            }
            (None, _) => {
                put_u64(1, out);
                out.extend_from_slice(&self.to_bits().to_le_bytes());
            }
        }
        *memory = *self;
    }
    fn take(memory: &mut f64, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        let form = from.u64()?;
        *memory = if form & 1 == 0 {
            let step = form >> 1;
            let step = (step >> 1) as i64 ^ -((step & 1) as i64);
            whole(*memory).unwrap_or(0).wrapping_add(step) as f64
        } else {
            let bits = from.fixed(8)?.try_into().map_err(|_| Damaged("a number is cut off"))?;
            f64::from_bits(u64::from_le_bytes(bits))
        };
        Ok(())
    }
    fn get(memory: &f64) -> f64 {
        *memory
    }
}

/// A number that is whole, exactly so, and small enough for differences.
fn whole(value: f64) -> Option<i64> {
    let number = value as i64;
    let exact = (number as f64).to_bits() == value.to_bits();
    (exact && number.unsigned_abs() < 1 << 52).then_some(number)
}

/// Texts as what is left of the former one's beginning, and the rest.
impl Delta for String {
    type Memory = String;
    fn same(&self, memory: &String) -> bool {
        self == memory
    }
    fn put(&self, memory: &mut String, out: &mut Vec<u8>) {
        let pairs = self.chars().zip(memory.chars());
        let kept: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        put_u64(kept as u64, out);
        put_bytes(self.as_bytes().get(kept..).unwrap_or_default(), out);
        memory.clone_from(self);
    }
    fn take(memory: &mut String, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        let kept = from.size()?;
        if !memory.is_char_boundary(kept) {
            return Err(Damaged("a text goes on from what is not there"));
        }
        memory.truncate(kept);
        memory.push_str(from.text()?);
        Ok(())
    }
    fn get(memory: &String) -> String {
        memory.clone()
    }
}

impl Delta for JobKey {
    type Memory = String;
    fn same(&self, memory: &String) -> bool {
        self.0.same(memory)
    }
    fn put(&self, memory: &mut String, out: &mut Vec<u8>) {
        self.0.put(memory, out);
    }
    fn take(memory: &mut String, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        String::take(memory, from)
    }
    fn get(memory: &String) -> JobKey {
        JobKey(memory.clone())
    }
}

impl Delta for MetricKey {
    type Memory = Option<MetricKey>;
    fn same(&self, memory: &Option<MetricKey>) -> bool {
        memory.as_ref() == Some(self)
    }
    fn put(&self, memory: &mut Option<MetricKey>, out: &mut Vec<u8>) {
        put_bytes(self.0.as_bytes(), out);
        *memory = Some(self.clone());
    }
    fn take(memory: &mut Option<MetricKey>, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        *memory = Some(MetricKey(Arc::from(from.text()?)));
        Ok(())
    }
    fn get(memory: &Option<MetricKey>) -> MetricKey {
        memory.clone().unwrap_or_else(|| MetricKey(Arc::from("")))
    }
}

impl Delta for JobState {
    type Memory = JobState;
    fn same(&self, memory: &JobState) -> bool {
        self == memory
    }
    fn put(&self, memory: &mut JobState, out: &mut Vec<u8>) {
        // By name: the order of the list is nobody's contract.
        put_bytes(self.as_str().as_bytes(), out);
        *memory = *self;
    }
    fn take(memory: &mut JobState, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        *memory = JobState::parse(from.text()?);
        Ok(())
    }
    fn get(memory: &JobState) -> JobState {
        *memory
    }
}

impl Delta for Labels {
    type Memory = Labels;
    fn same(&self, memory: &Labels) -> bool {
        self == memory
    }
    fn put(&self, memory: &mut Labels, out: &mut Vec<u8>) {
        put_u64(self.0.len() as u64, out);
        for (name, value) in &self.0 {
            put_bytes(name.as_bytes(), out);
            put_bytes(value.as_bytes(), out);
        }
        memory.clone_from(self);
    }
    fn take(memory: &mut Labels, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        let mut labels = BTreeMap::new();
        for _ in 0..from.size()? {
            let name = from.text()?.to_owned();
            labels.insert(name, from.text()?.to_owned());
        }
        *memory = Labels(labels);
        Ok(())
    }
    fn get(memory: &Labels) -> Labels {
        memory.clone()
    }
}

/// Memory of something that may be absent.
#[derive(Debug, Default)]
pub(super) struct Maybe<M> {
    form: u8,
    value: M,
}

const ABSENT: u8 = 0;
const UNKNOWN: u8 = 1;
const NOT_APPLICABLE: u8 = 2;
const CHANGED: u8 = 3;
const UNCHANGED: u8 = 4;

/// Writes a form; a value only where it differs from the last one there was.
fn put_form<T: Delta>(
    value: Option<&T>,
    form: u8,
    memory: &mut Maybe<T::Memory>,
    out: &mut Vec<u8>,
) {
    memory.form = form;
    match value {
        None => out.push(form),
        Some(value) if value.same(&memory.value) => out.push(UNCHANGED),
        Some(value) => {
            out.push(CHANGED);
            value.put(&mut memory.value, out);
        }
    }
}

fn take_form<T: Delta>(memory: &mut Maybe<T::Memory>, from: &mut Bytes<'_>) -> Result<(), Damaged> {
    let form = from.byte()?;
    memory.form = match form {
        ABSENT | UNKNOWN | NOT_APPLICABLE => form,
        UNCHANGED => CHANGED,
        CHANGED => {
            T::take(&mut memory.value, from)?;
            CHANGED
        }
        _ => return Err(Damaged("a value has an unknown form")),
    };
    Ok(())
}

impl<T: Delta> Delta for Option<T> {
    type Memory = Maybe<T::Memory>;
    fn same(&self, memory: &Self::Memory) -> bool {
        match self {
            None => memory.form == ABSENT,
            Some(value) => memory.form == CHANGED && value.same(&memory.value),
        }
    }
    fn put(&self, memory: &mut Self::Memory, out: &mut Vec<u8>) {
        let form = if self.is_some() { CHANGED } else { ABSENT };
        put_form(self.as_ref(), form, memory, out);
    }
    fn take(memory: &mut Self::Memory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        take_form::<T>(memory, from)
    }
    fn get(memory: &Self::Memory) -> Self {
        (memory.form == CHANGED).then(|| T::get(&memory.value))
    }
}

impl<T: Delta> Delta for Seen<T> {
    type Memory = Maybe<T::Memory>;
    fn same(&self, memory: &Self::Memory) -> bool {
        match self {
            Seen::Fresh(value) => memory.form == CHANGED && value.same(&memory.value),
            other => memory.form == form_of(other),
        }
    }
    fn put(&self, memory: &mut Self::Memory, out: &mut Vec<u8>) {
        put_form(self.fresh(), form_of(self), memory, out);
    }
    fn take(memory: &mut Self::Memory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        take_form::<T>(memory, from)
    }
    fn get(memory: &Self::Memory) -> Self {
        match memory.form {
            UNKNOWN => Seen::Unknown,
            NOT_APPLICABLE => Seen::NotApplicable,
            CHANGED => Seen::Fresh(T::get(&memory.value)),
            _ => Seen::NotAsked,
        }
    }
}

fn form_of<T>(seen: &Seen<T>) -> u8 {
    match seen {
        Seen::NotAsked => ABSENT,
        Seen::Unknown => UNKNOWN,
        Seen::NotApplicable => NOT_APPLICABLE,
        Seen::Fresh(_) => CHANGED,
    }
}

impl Delta for Completeness {
    type Memory = Option<Completeness>;
    fn same(&self, memory: &Self::Memory) -> bool {
        memory.as_ref() == Some(self)
    }
    fn put(&self, memory: &mut Self::Memory, out: &mut Vec<u8>) {
        match self {
            Completeness::Complete => out.push(0),
            Completeness::Partial { reason } => {
                out.push(1);
                put_bytes(reason.as_bytes(), out);
            }
            Completeness::Failed { error, starting } => {
                out.push(2 + u8::from(*starting));
                put_bytes(error.as_bytes(), out);
            }
        }
        *memory = Some(self.clone());
    }
    fn take(memory: &mut Self::Memory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        *memory = Some(match from.byte()? {
            0 => Completeness::Complete,
            1 => Completeness::Partial { reason: from.text()?.to_owned() },
            form @ (2 | 3) => {
                Completeness::Failed { error: from.text()?.to_owned(), starting: form == 3 }
            }
            _ => return Err(Damaged("a look is complete in an unknown way")),
        });
        Ok(())
    }
    fn get(memory: &Self::Memory) -> Self {
        memory.clone().unwrap_or(Completeness::Complete)
    }
}

/// Memory of a list: its elements, also while it is empty for once (a look that failed).
#[derive(Debug)]
pub(super) struct List<M> {
    items: Vec<M>,
    shown: bool,
}

impl<M> Default for List<M> {
    fn default() -> Self {
        List { items: Vec::new(), shown: false }
    }
}

const END: u64 = 0;
const COPY: u64 = 1;
const CHANGE: u64 = 2;
const MOVE: u64 = 3;
const NEW: u64 = 4;
const KINDS: u64 = 5;

/// Elements follow their predecessors of the same identity, wherever those stood.
impl<T: Identified> Delta for Vec<T> {
    type Memory = List<T::Memory>;

    fn same(&self, memory: &Self::Memory) -> bool {
        if self.is_empty() || !memory.shown {
            return self.is_empty() != memory.shown;
        }
        self.len() == memory.items.len()
            && self.iter().zip(&memory.items).all(|(now, before)| now.same(before))
    }

    fn put(&self, memory: &mut Self::Memory, out: &mut Vec<u8>) {
        memory.shown = !self.is_empty();
        if self.is_empty() {
            put_u64(END, out);
            return;
        }
        let mut before: Vec<Option<T::Memory>> =
            std::mem::take(&mut memory.items).into_iter().map(Some).collect();
        let mut at = 0;
        let mut unchanged = 0_u64;
        let flush = |unchanged: &mut u64, out: &mut Vec<u8>| {
            if *unchanged > 0 {
                put_u64(*unchanged * KINDS + COPY, out);
                *unchanged = 0;
            }
        };
        for item in self {
            let fits = |m: &Option<T::Memory>| m.as_ref().is_some_and(|m| item.is(m));
            let found = match before.get(at) {
                Some(expected) if fits(expected) => Some(at),
                _ => before.iter().position(fits),
            };
            let known = found.and_then(|index| Some((index, before.get_mut(index)?.take()?)));
            let Some((index, mut known)) = known else {
                flush(&mut unchanged, out);
                put_u64(NEW, out);
                let mut fresh = T::Memory::default();
                item.put(&mut fresh, out);
                memory.items.push(fresh);
                continue;
            };
            if index != at {
                flush(&mut unchanged, out);
                put_u64(index as u64 * KINDS + MOVE, out);
            }
            at = index + 1;
            if item.same(&known) {
                unchanged += 1;
            } else {
                flush(&mut unchanged, out);
                put_u64(CHANGE, out);
                item.put(&mut known, out);
            }
            memory.items.push(known);
        }
        flush(&mut unchanged, out);
        put_u64(END, out);
    }

    fn take(memory: &mut Self::Memory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        let mut operation = from.u64()?;
        memory.shown = operation != END;
        if operation == END {
            return Ok(());
        }
        let mut before: Vec<Option<T::Memory>> =
            std::mem::take(&mut memory.items).into_iter().map(Some).collect();
        let mut at = 0;
        let gone = Damaged("an element follows one that is not there");
        while operation != END {
            let count = operation / KINDS;
            match operation % KINDS {
                COPY => {
                    for _ in 0..count {
                        memory.items.push(before.get_mut(at).and_then(Option::take).ok_or(gone)?);
                        at += 1;
                    }
                }
                CHANGE => {
                    let mut known = before.get_mut(at).and_then(Option::take).ok_or(gone)?;
                    T::take(&mut known, from)?;
                    memory.items.push(known);
                    at += 1;
                }
                MOVE => at = usize::try_from(count).map_err(|_| gone)?,
                NEW => {
                    let mut fresh = T::Memory::default();
                    T::take(&mut fresh, from)?;
                    memory.items.push(fresh);
                }
                _ => return Err(Damaged("a list has an unknown operation")),
            }
            operation = from.u64()?;
        }
        Ok(())
    }

    fn get(memory: &Self::Memory) -> Self {
        if memory.shown { memory.items.iter().map(T::get).collect() } else { Vec::new() }
    }
}

/// One entry of a map.
pub(super) struct Entry {
    key: MetricKey,
    value: Seen<f64>,
}

/// Memory of an [`Entry`].
#[derive(Default)]
pub(super) struct EntryMemory {
    key: Option<MetricKey>,
    value: Maybe<f64>,
}

impl Delta for Entry {
    type Memory = EntryMemory;
    fn same(&self, memory: &EntryMemory) -> bool {
        self.key.same(&memory.key) && self.value.same(&memory.value)
    }
    fn put(&self, memory: &mut EntryMemory, out: &mut Vec<u8>) {
        let renamed = !self.key.same(&memory.key);
        out.push(u8::from(renamed));
        if renamed {
            self.key.put(&mut memory.key, out);
        }
        self.value.put(&mut memory.value, out);
    }
    fn take(memory: &mut EntryMemory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        if from.byte()? != 0 {
            MetricKey::take(&mut memory.key, from)?;
        }
        Seen::<f64>::take(&mut memory.value, from)
    }
    fn get(memory: &EntryMemory) -> Entry {
        Entry { key: MetricKey::get(&memory.key), value: Seen::get(&memory.value) }
    }
}

impl Identified for Entry {
    fn is(&self, memory: &EntryMemory) -> bool {
        self.key.same(&memory.key)
    }
}

impl Delta for Metrics {
    type Memory = List<EntryMemory>;
    fn same(&self, memory: &Self::Memory) -> bool {
        if self.is_empty() || !memory.shown {
            return self.is_empty() != memory.shown;
        }
        self.len() == memory.items.len()
            && self
                .iter()
                .zip(&memory.items)
                .all(|((key, value), before)| key.same(&before.key) && value.same(&before.value))
    }
    fn put(&self, memory: &mut Self::Memory, out: &mut Vec<u8>) {
        let entry = |(key, value): (&MetricKey, &Seen<f64>)| Entry {
            key: key.clone(),
            value: value.clone(),
        };
        self.iter().map(entry).collect::<Vec<Entry>>().put(memory, out);
    }
    fn take(memory: &mut Self::Memory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
        Vec::<Entry>::take(memory, from)
    }
    fn get(memory: &Self::Memory) -> Self {
        Vec::<Entry>::get(memory).into_iter().map(|entry| (entry.key, entry.value)).collect()
    }
}

/// Declares how a struct of the model is coded: all of its fields, in an order that is never
/// changed. A new field goes to the end; what was written before it then has its default.
macro_rules! fields {
    ($kind:ident as $memory:ident { $($field:ident: $type:ty),* $(,)? }) => {
        /// What is remembered of the last one.
        #[derive(Default)]
        pub(super) struct $memory {
            $(pub(super) $field: <$type as Delta>::Memory,)*
        }

        impl Delta for $kind {
            type Memory = $memory;

            fn same(&self, memory: &$memory) -> bool {
                $(self.$field.same(&memory.$field))&&*
            }

            fn put(&self, memory: &mut $memory, out: &mut Vec<u8>) {
                let $kind { $($field),* } = self;
                let (mut changed, mut bit) = (0_u64, 1_u64);
                $(
                    if !$field.same(&memory.$field) {
                        changed |= bit;
                    }
                    bit <<= 1;
                )*
                put_u64(changed, out);
                let mut rest = changed;
                $(
                    if rest & 1 != 0 {
                        $field.put(&mut memory.$field, out);
                    }
                    rest >>= 1;
                )*
                debug_assert_eq!((rest, bit.count_ones()), (0, 1), "more than 63 fields");
            }

            fn take(memory: &mut $memory, from: &mut Bytes<'_>) -> Result<(), Damaged> {
                let changed = from.u64()?;
                let mut bit = 1_u64;
                $(
                    if changed & bit != 0 {
                        <$type as Delta>::take(&mut memory.$field, from)?;
                    }
                    bit <<= 1;
                )*
                if changed >= bit {
                    return Err(Damaged("it has facts this weir does not know"));
                }
                Ok(())
            }

            fn get(memory: &$memory) -> $kind {
                $kind { $($field: <$type as Delta>::get(&memory.$field)),* }
            }
        }
    };
}

pub(super) use fields;
