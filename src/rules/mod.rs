//! Rule files, the kinds of conditions, and the life of an alert: inactive, pending, firing.
//!
//! Decides: whether a rule holds for a subject. Never decides whether anybody hears of it.

mod annotate;
mod applies;
#[cfg(test)]
mod bad_input_tests;
mod build;
mod by_label;
mod eval;
#[cfg(test)]
mod eval_tests;
mod explain;
mod file;
mod first;
mod intervals;
pub mod kinds;
mod labels;
mod lifecycle;
mod lint;
mod outdated;
#[cfg(test)]
mod outdated_tests;
#[cfg(test)]
mod override_tests;
mod overrides;
mod picks;
mod raw;
mod reload;
mod rule;
mod schema;
mod shipped;
mod variants;

pub use annotate::Annotations;
pub use eval::{Judged, LabelBook, Rules};
pub use explain::{Asked, Reason, Standing};
pub use file::{RuleSource, Surroundings, parse, parse_in};
pub use intervals::{IntervalBook, RawTimeInterval, RawTimeIntervals, RawTimes};
pub(crate) use intervals::{build_intervals, named as named_intervals};
pub use overrides::Override;
pub(crate) use overrides::build_overrides;
pub use raw::{Names, Parameters, RawFile, RawGroup, RawOverride, RawRule, RawSet};
pub use rule::{Rule, RuleSet};
pub use schema::{polish, schema};
pub use shipped::{OPTIONAL, SHIPPED, shipped, shipped_names};
pub use variants::Variants;
