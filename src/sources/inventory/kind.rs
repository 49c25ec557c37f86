//! The inventories there are: what each keeps where, and what it says.

use super::plan::{self, Dialect, Known, Missing, Query, Wanted};
use super::row::Row;
use super::table::{self, Table, Vintage};
use super::{dinky, streampark};
use crate::model::InventoryEntry;

/// More jobs than this are not taken from one inventory.
pub(super) const MAX_JOBS: usize = 20_000;
/// Checkpoints and savepoints that are looked at, the newest.
const MAX_RECORDED: usize = 20_000;
/// Starts that are looked at, the newest.
const MAX_STARTS: usize = 500;

/// Which inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Apache StreamPark.
    Streampark,
    /// Dinky.
    Dinky,
}

impl Kind {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Streampark => "StreamPark",
            Kind::Dinky => "Dinky",
        }
    }

    /// As the configuration and the command line call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Streampark => "streampark",
            Kind::Dinky => "dinky",
        }
    }

    /// Versions that differ in what is read, oldest first.
    pub fn vintages(self) -> &'static [Vintage] {
        match self {
            Kind::Streampark => table::STREAMPARK,
            Kind::Dinky => table::DINKY,
        }
    }

    /// The version that most people have.
    pub fn usual_version(self) -> &'static str {
        match self {
            Kind::Streampark => "2.1.7",
            Kind::Dinky => "1.2",
        }
    }

    /// The one that is valid for a version such as `2.1.7`; none for one that cannot be read.
    pub fn vintage(self, version: &str) -> Option<Vintage> {
        Vintage::of(self.vintages(), version)
    }

    /// What is read at every look; the first is that of the jobs.
    pub(super) fn tables(self) -> &'static [Table] {
        match self {
            Kind::Streampark => streampark::TABLES,
            Kind::Dinky => dinky::TABLES,
        }
    }

    /// Name of the table of the jobs.
    pub(super) fn jobs_table(self) -> &'static str {
        self.tables().first().map_or("", |table| table.name)
    }

    /// What is read by an import alone: it holds secrets.
    pub(super) fn import_tables(self) -> &'static [Table] {
        match self {
            Kind::Streampark => streampark::IMPORT_TABLES,
            Kind::Dinky => dinky::IMPORT_TABLES,
        }
    }

    /// Asks for all jobs, or for those of these teams.
    pub(super) fn jobs(
        self,
        dialect: Dialect,
        known: &Known,
        teams: &[String],
    ) -> Result<Query, Missing> {
        let (aliases, of_team): (&[&str], &[(&str, &str)]) = match self {
            Kind::Streampark => (&streampark::JOBS, &streampark::TEAM),
            Kind::Dinky => (&dinky::JOBS, &dinky::TEAM),
        };
        let used = |table: &&Table| aliases.contains(&table.alias);
        let tables: Vec<&Table> = self.tables().iter().filter(used).collect();
        let one_of = (!teams.is_empty()).then_some((of_team, teams));
        let wanted = Wanted { one_of, limit: MAX_JOBS + 1, ..Wanted::default() };
        plan::select(dialect, known, &tables, &wanted)
    }

    /// Asks for the newest starts, where there is a log of them that can be read.
    pub(super) fn starts(self, dialect: Dialect, known: &Known) -> Option<Query> {
        let Kind::Streampark = self else { return None };
        let log = |table: &&Table| streampark::LOGS.contains(&table.name);
        let table = self.tables().iter().filter(log).find(|table| known.check(table).is_ok())?;
        let wanted = Wanted {
            number: Some((table.alias, "option_name", streampark::START)),
            newest_by: Some("id"),
            limit: MAX_STARTS,
            ..Wanted::default()
        };
        plan::select(dialect, known, &[table], &wanted).ok()
    }

    /// Asks for the newest checkpoints and savepoints it has recorded, where it does; the error says
    /// what may not be read.
    pub(super) fn recorded(
        self,
        dialect: Dialect,
        known: &Known,
    ) -> Result<Option<Query>, Missing> {
        let Kind::Streampark = self else { return Ok(None) };
        let is_it = |table: &&Table| table.name == streampark::SAVEPOINTS;
        let Some(table) = self.tables().iter().find(is_it) else { return Ok(None) };
        let wanted = Wanted { newest_by: Some("id"), limit: MAX_RECORDED, ..Wanted::default() };
        plan::select(dialect, known, &[table], &wanted).map(Some)
    }

    /// What a row of a job says.
    pub(super) fn entry(self, row: &Row<'_>) -> Option<InventoryEntry> {
        match self {
            Kind::Streampark => streampark::entry(row),
            Kind::Dinky => dinky::entry(row),
        }
    }
}
