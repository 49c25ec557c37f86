//! The small words of the model against their predecessors.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bytes::{Bytes, Damaged, put_bytes, put_u64};
use super::delta::Delta;
use crate::model::{Completeness, JobKey, JobState, Labels, MetricKey};

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
            Completeness::Unlisted { error, starting } => {
                out.push(4 + u8::from(*starting));
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
            form @ (4 | 5) => {
                Completeness::Unlisted { error: from.text()?.to_owned(), starting: form == 5 }
            }
            _ => return Err(Damaged("a look is complete in an unknown way")),
        });
        Ok(())
    }
    fn get(memory: &Self::Memory) -> Self {
        memory.clone().unwrap_or(Completeness::Complete)
    }
}
