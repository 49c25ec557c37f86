//! The history again, through the same engine.
