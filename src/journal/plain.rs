//! Numbers and texts against their predecessors.

use super::bytes::{Bytes, Damaged, put_bytes, put_i64, put_u64};
use super::delta::Delta;

/// Differences wrap, so that every value has one.
macro_rules! whole_numbers {
    ($($kind:ty: $wide:expr),*) => {$(
        impl Delta for $kind {
            type Memory = $kind;
            fn same(&self, memory: &$kind) -> bool {
                self == memory
            }
            fn put(&self, memory: &mut $kind, out: &mut Vec<u8>) {
                let wide: fn($kind) -> i64 = $wide;
                put_i64(wide(*self).wrapping_sub(wide(*memory)), out);
                *memory = *self;
            }
            fn take(memory: &mut $kind, from: &mut Bytes<'_>) -> Result<(), Damaged> {
                let wide: fn($kind) -> i64 = $wide;
                *memory = wide(*memory).wrapping_add(from.i64()?) as $kind;
                Ok(())
            }
            fn get(memory: &$kind) -> $kind {
                *memory
            }
        }
    )*};
}

whole_numbers!(u32: i64::from, u64: |n| n as i64, i64: |n| n);

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
        if let Some(now) = whole(*self) {
            let step = now - whole(*memory).unwrap_or(0);
            // The lowest bit tells the two forms apart.
            put_u64((((step << 1) ^ (step >> 63)) as u64) << 1, out);
        } else {
            put_u64(1, out);
            out.extend_from_slice(&self.to_bits().to_le_bytes());
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
