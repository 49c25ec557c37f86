//! Weir from the outside: one binary, so that linking happens once.

mod flink_source;
