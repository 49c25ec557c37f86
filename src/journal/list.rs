//! Lists, whose elements follow their predecessors wherever those stood, and maps of metrics.

use super::bytes::{Bytes, Damaged, put_u64};
use super::delta::{Delta, Identified};
use super::maybe::Maybe;
use crate::model::{MetricKey, Metrics, Seen};

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

/// A list with more elements was not written by Weir: a small file could ask for any memory.
const MOST: usize = 200_000;

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
                    if memory.items.len() >= MOST {
                        return Err(Damaged("a list has too many elements"));
                    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_end_is_refused() {
        let entry = || (MetricKey("a".into()), Seen::Unknown);
        let mut out = Vec::new();
        let mut one = Vec::new();
        let (key, value) = entry();
        Entry { key, value }.put(&mut EntryMemory::default(), &mut one);
        for _ in 0..=MOST {
            put_u64(NEW, &mut out);
            out.extend_from_slice(&one);
        }
        put_u64(END, &mut out);
        let read = |bytes: &[u8]| {
            Vec::<Entry>::take(&mut List::<EntryMemory>::default(), &mut Bytes(bytes))
        };
        assert_eq!(read(&out), Err(Damaged("a list has too many elements")));
        assert_eq!(read(out.get(1 + one.len()..).unwrap_or_default()), Ok(()));
    }
}
