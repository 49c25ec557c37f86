//! Values coded against what was known before: what did not change costs nothing.
//!
//! A memory holds the last value of each part, also of what is absent now (a fact that was not
//! asked for at this poll): when it is back, only what differs is written. Both sides keep the same
//! memory; it changes by what is written and by nothing else.

use super::bytes::{Bytes, Damaged};

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
