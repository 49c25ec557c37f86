//! The test bed: stand-ins that refuse what the real thing refuses.

pub mod faults;
pub mod feishu;
pub mod fleet;
pub mod inbox;
pub mod net;
pub mod smtp;
pub mod smtp_env;
pub mod time;
pub mod webhook;
