//! Recorded answers and garbage through the pure path.
