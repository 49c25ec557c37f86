//! Channels: how a message reaches people. Each writes its body by a pure function
//! ([`Compose`]) and sends frozen bytes.

use futures_util::future::BoxFuture;

use crate::model::{Message, SendOutcome, Time};
use crate::notify::Compose;

/// One configured integration of a receiver.
pub trait Channel: Send + Sync {
    /// What writes its messages.
    fn composer(&self) -> &dyn Compose;

    /// Sends frozen bytes once. Never retries by itself: the outbox decides. Bounded in time.
    /// `key` is the idempotency key (`<installation>-<message id>`).
    fn send<'a>(
        &'a self,
        message: &'a Message,
        key: &'a str,
        now: Time,
    ) -> BoxFuture<'a, SendOutcome>;
}
