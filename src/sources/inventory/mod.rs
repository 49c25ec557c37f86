//! Inventories: where people keep their jobs (StreamPark, Dinky). They say whose a job is and how it
//! should be; platforms say how it is. Read from the inventory's own database, and never written.
//!
//! One transaction per look, read-only and limited in time, rows and bytes. Which columns there are is
//! asked each time: their names differ from version to version, and an upgrade needs no restart here.
//! What to ask (`plan`) and what the answers mean (`streampark`, `dinky`) are pure functions; `session`
//! alone speaks to databases.

mod config;
mod dinky;
mod grant;
mod kind;
mod look;
mod plan;
mod row;
mod session;
mod source;
mod streampark;
mod table;
mod trouble;
mod url;
mod ways;

pub use config::{DinkyConfig, InventoryConfig, StreamparkConfig};
pub use grant::grant;
pub use kind::Kind;
pub use look::{Import, read_for_import};
pub use plan::Dialect;
pub use source::InventorySource;
pub use table::Vintage;
pub use ways::{Draft, Smtp, Way};
