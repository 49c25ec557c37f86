//! Commands from outside on their way into the loop, and their replies on the way back.

use tokio::sync::{mpsc, oneshot};

use crate::model::{Command, Refusal, Replied, Reply};

/// Commands that may wait for the loop.
const WAITING: usize = 64;

/// Why a command was not carried out, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Too many wait already.
    #[error("too many commands at once; try again")]
    Busy,
    /// The loop has ended, or ended before this was kept.
    #[error("weir is stopping; give the command again with the same id to a weir that runs")]
    Stopped,
    /// It was looked at, and nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A command with the way back.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) command: Command,
    pub(super) back: oneshot::Sender<Replied>,
}

/// Gives commands to the running engine.
#[derive(Debug, Clone)]
pub struct Commander(mpsc::Sender<Given>);

impl Commander {
    pub(super) fn channel() -> (Commander, mpsc::Receiver<Given>) {
        let (give, given) = mpsc::channel(WAITING);
        (Commander(give), given)
    }

    /// One nobody obeys: where no engine runs.
    pub fn unheard() -> Commander {
        Commander::channel().0
    }

    /// Returns when it is carried out and kept, or refused. Given up before it was begun, it is
    /// never begun.
    ///
    /// # Errors
    /// When it is refused, or nobody takes it.
    pub async fn give(&self, command: Command) -> Result<Reply, CommandError> {
        let (back, reply) = oneshot::channel();
        self.0.try_send(Given { command, back }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CommandError::Busy,
            mpsc::error::TrySendError::Closed(_) => CommandError::Stopped,
        })?;
        Ok(reply.await.map_err(|_| CommandError::Stopped)??)
    }
}
