//! What may be absent. Its last value is remembered while it is away.

use super::bytes::{Bytes, Damaged};
use super::delta::Delta;
use crate::model::Seen;

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
