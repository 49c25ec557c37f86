//! What inventories say, field by field. The order of the fields is the format.

use super::bytes::{Bytes, Damaged, put_bytes, put_u64};
use super::delta::{Delta, Identified, fields};
use crate::model::{DeployMode, InventoryCheckpoint, InventoryEntry, Says};

fields!(InventoryEntry as EntryMemory {
    id: String,
    name: String,
    application_id: Option<String>,
    cluster_id: Option<String>,
    namespace: Option<String>,
    job_id: Option<String>,
    mode: DeployMode,
    says: Says,
    state: String,
    busy: bool,
    owner: Option<String>,
    owner_name: Option<String>,
    owner_mail: Option<String>,
    team: Option<String>,
    team_id: Option<String>,
    tags: Option<String>,
    alert_id: Option<String>,
    start_failure: Option<String>,
    own_restarts: u32,
});

impl Identified for InventoryEntry {
    fn is(&self, memory: &EntryMemory) -> bool {
        self.id == memory.id
    }
}

fields!(InventoryCheckpoint as RecordedMemory {
    entry: String,
    id: Option<u64>,
    path: String,
    savepoint: bool,
    local_ms: Option<i64>,
});

impl Identified for InventoryCheckpoint {
    fn is(&self, memory: &RecordedMemory) -> bool {
        self.entry == memory.entry && self.path == memory.path
    }
}

/// By word: the order of the list is nobody's contract.
macro_rules! by_word {
    ($($kind:ty),*) => {$(
        impl Delta for $kind {
            type Memory = $kind;
            fn same(&self, memory: &$kind) -> bool {
                self == memory
            }
            fn put(&self, memory: &mut $kind, out: &mut Vec<u8>) {
                put_bytes(self.as_str().as_bytes(), out);
                *memory = *self;
            }
            fn take(memory: &mut $kind, from: &mut Bytes<'_>) -> Result<(), Damaged> {
                *memory = <$kind>::parse(from.text()?);
                Ok(())
            }
            fn get(memory: &$kind) -> $kind {
                *memory
            }
        }
    )*};
}

by_word!(DeployMode, Says);

#[cfg(test)]
mod tests {
    use super::super::coder::Coder;
    use super::super::event::Event;
    use super::*;
    use crate::model::{Completeness, Snapshot, Time};

    fn look(entries: Vec<InventoryEntry>) -> Snapshot {
        Snapshot {
            completeness: Completeness::Complete,
            inventory: entries,
            ..Snapshot::failed("sp", "1", String::new(), false)
        }
    }

    fn entry(id: &str, says: Says) -> InventoryEntry {
        InventoryEntry {
            id: id.to_owned(),
            name: format!("job-{id}"),
            mode: DeployMode::YarnApplication,
            says,
            owner: Some("duyao".to_owned()),
            own_restarts: 3,
            ..InventoryEntry::default()
        }
    }

    #[test]
    fn recorded_checkpoints_read_back_and_cost_what_changed() {
        let (mut writer, mut reader) = (Coder::default(), Coder::default());
        let row = |n: u64| InventoryCheckpoint {
            entry: (n / 2).to_string(),
            id: Some(n),
            path: format!("s3://b/ck/chk-{n}"),
            savepoint: n.is_multiple_of(2),
            local_ms: Some(1_700_000_000_000 + n.cast_signed()),
        };
        let first: Vec<_> = (0..100).map(row).collect();
        let mut changed = first.clone();
        changed.remove(7);
        changed.insert(0, InventoryCheckpoint { id: None, local_ms: None, ..row(500) });
        let mut sizes = Vec::new();
        for recorded in [first.clone(), first, changed, Vec::new()] {
            let mut out = Vec::new();
            let snapshot = Snapshot { recorded, ..look(Vec::new()) };
            writer.put_snapshot(Time::at(5), &snapshot, &mut out);
            sizes.push(out.len());
            let (_, event) = reader.take(&mut Bytes(&out)).unwrap();
            assert_eq!(event, Event::Snapshot(Box::new(snapshot)));
        }
        assert!(sizes[1] < 16 && sizes[2] < 300, "{sizes:?}");
    }

    #[test]
    fn looks_at_an_inventory_read_back_and_cost_what_changed() {
        let (mut writer, mut reader) = (Coder::default(), Coder::default());
        let first: Vec<_> = (0..100).map(|n| entry(&n.to_string(), Says::Runs)).collect();
        let mut changed = first.clone();
        changed[7].says = Says::Lost;
        let mut sizes = Vec::new();
        for entries in [first.clone(), first, changed.clone(), Vec::new(), changed] {
            let mut out = Vec::new();
            let snapshot = look(entries);
            writer.put_snapshot(Time::at(5), &snapshot, &mut out);
            sizes.push(out.len());
            let (_, event) = reader.take(&mut Bytes(&out)).unwrap();
            assert_eq!(event, Event::Snapshot(Box::new(snapshot)));
        }
        assert!(sizes[1] < 16 && sizes[2] < 64 && sizes[4] < 64, "{sizes:?}");
    }
}
