//! The JSON schema of the configuration, for editors that complete and check.

use serde_json::{Value, json};

use super::RawConfig;

/// Channels that need no settings and may stand there as a bare word.
const BARE_CHANNELS: &[&str] = &["console"];

/// The JSON schema of the file.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(RawConfig).to_value();
    crate::rules::polish(&mut schema);
    let channels = schema.pointer_mut("/$defs/ChannelConfig/oneOf").and_then(Value::as_array_mut);
    if let Some(channels) = channels {
        channels.push(json!({ "type": "string", "enum": BARE_CHANNELS }));
    }
    schema
}

#[cfg(test)]
mod tests;
