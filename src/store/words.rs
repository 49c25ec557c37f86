//! Words of states as they stand in columns, in the API and in its `?state=` parameter.

use crate::model::{IncidentState, MessageKind, MessageState};

/// `open`, `acknowledged`, `resolved`.
pub(crate) fn incident_state(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Open => "open",
        IncidentState::Acknowledged => "acknowledged",
        IncidentState::Resolved => "resolved",
    }
}

/// `due`, `sent`, `shadow`, `failed`.
pub(crate) fn message_state(state: MessageState) -> &'static str {
    match state {
        MessageState::Due => "due",
        MessageState::Sent => "sent",
        MessageState::Shadow => "shadow",
        MessageState::Failed => "failed",
    }
}

/// `incident`, `group`, `digest`, `storm`, `first_look`, `summary`, `test`.
pub(crate) fn message_kind(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Incident => "incident",
        MessageKind::Group => "group",
        MessageKind::Digest => "digest",
        MessageKind::Storm => "storm",
        MessageKind::FirstLook => "first_look",
        MessageKind::Summary => "summary",
        MessageKind::Test => "test",
    }
}
