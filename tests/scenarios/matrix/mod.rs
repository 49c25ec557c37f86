//! Every way a Flink job goes wrong, done to a real Flink, and what Weir has to say about it.
//!
//! Shared by `make scenarios`, which plays all of it on several releases and writes the table, and
//! by a smoke among the integration tests.

pub(crate) mod expect;
pub(crate) mod list;
pub(crate) mod play;
pub(crate) mod rounds;
pub(crate) mod stage;
pub(crate) mod table;
pub(crate) mod verdict;
pub(crate) mod watch;
