//! Questions about the state, answered by the loop between two turns.

use tokio::sync::{mpsc, oneshot};

use super::Engine;
use super::checkpoints::Checkpoints;
use super::explain::{Answer, Question, RuleReport};
use super::find::NotFound;
use super::routes::{RouteAnswer, RouteQuestion};
use super::why::{WhyAnswer, WhyQuestion};
use crate::clock::Clock;
use crate::model::JobKey;

/// Questions that may wait for the loop.
const WAITING: usize = 16;

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Too many wait already.
    #[error("too many questions at once; try again")]
    Busy,
    /// The loop has ended.
    #[error("weir is stopping")]
    Stopped,
    /// What was asked about is not there.
    #[error(transparent)]
    NotFound(#[from] NotFound),
}

/// A question with the way back.
#[derive(Debug)]
pub(super) enum Asked {
    Explain(Question, oneshot::Sender<Result<Answer, NotFound>>),
    Rules(oneshot::Sender<Vec<RuleReport>>),
    Routes(RouteQuestion, oneshot::Sender<Result<RouteAnswer, NotFound>>),
    Unowned(oneshot::Sender<Vec<JobKey>>),
    Why(WhyQuestion, oneshot::Sender<Result<WhyAnswer, NotFound>>),
    Checkpoints(String, oneshot::Sender<Result<Checkpoints, NotFound>>),
}

impl Asked {
    /// Answers; whoever has gone meanwhile is not waited for.
    pub(super) fn answer(self, engine: &Engine, clock: &dyn Clock) {
        let time = clock.now();
        match self {
            Asked::Explain(question, back) if !back.is_closed() => {
                drop(back.send(engine.explain(time, &question)));
            }
            Asked::Rules(back) if !back.is_closed() => {
                drop(back.send(engine.rule_reports(time)));
            }
            Asked::Routes(question, back) if !back.is_closed() => {
                drop(back.send(engine.routes(time, &question)));
            }
            Asked::Unowned(back) if !back.is_closed() => {
                drop(back.send(engine.unowned()));
            }
            Asked::Why(question, back) if !back.is_closed() => {
                drop(back.send(engine.why(time, &question)));
            }
            Asked::Checkpoints(job, back) if !back.is_closed() => {
                drop(back.send(engine.checkpoints(&job)));
            }
            Asked::Checkpoints(..)
            | Asked::Explain(..)
            | Asked::Rules(_)
            | Asked::Routes(..)
            | Asked::Unowned(_)
            | Asked::Why(..) => {}
        }
    }
}

/// Asks the running engine.
#[derive(Debug, Clone)]
pub struct Asker(mpsc::Sender<Asked>);

impl Asker {
    pub(super) fn channel() -> (Asker, mpsc::Receiver<Asked>) {
        let (ask, asked) = mpsc::channel(WAITING);
        (Asker(ask), asked)
    }

    /// One whom nobody answers: where no engine runs.
    pub fn unheard() -> Asker {
        Asker::channel().0
    }

    /// Why rules are what they are now.
    ///
    /// # Errors
    /// When what was asked about is not there, or nobody answers.
    pub async fn explain(&self, question: Question) -> Result<Answer, AskError> {
        let (back, answer) = oneshot::channel();
        self.ask(Asked::Explain(question, back))?;
        Ok(answer.await.map_err(|_| AskError::Stopped)??)
    }

    /// All rules with their counts.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn rules(&self) -> Result<Vec<RuleReport>, AskError> {
        let (back, answer) = oneshot::channel();
        self.ask(Asked::Rules(back))?;
        answer.await.map_err(|_| AskError::Stopped)
    }

    /// Who would hear of an alert.
    ///
    /// # Errors
    /// When no such job is there, or nobody answers.
    pub async fn routes(&self, question: RouteQuestion) -> Result<RouteAnswer, AskError> {
        let (back, answer) = oneshot::channel();
        self.ask(Asked::Routes(question, back))?;
        Ok(answer.await.map_err(|_| AskError::Stopped)??)
    }

    /// Jobs nobody would hear of, by key.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn unowned(&self) -> Result<Vec<JobKey>, AskError> {
        let (back, answer) = oneshot::channel();
        self.ask(Asked::Unowned(back))?;
        answer.await.map_err(|_| AskError::Stopped)
    }

    /// Why there is no notice.
    ///
    /// # Errors
    /// When what was asked about is not there, or nobody answers.
    pub async fn why(&self, question: WhyQuestion) -> Result<WhyAnswer, AskError> {
        let (back, answer) = oneshot::channel();
        self.ask(Asked::Why(question, back))?;
        Ok(answer.await.map_err(|_| AskError::Stopped)??)
    }

    /// What a job could be restored from.
    ///
    /// # Errors
    /// When no such job is there, or nobody answers.
    pub async fn checkpoints(&self, job: String) -> Result<Checkpoints, AskError> {
        let (back, answer) = oneshot::channel();
        self.ask(Asked::Checkpoints(job, back))?;
        Ok(answer.await.map_err(|_| AskError::Stopped)??)
    }

    fn ask(&self, asked: Asked) -> Result<(), AskError> {
        self.0.try_send(asked).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AskError::Busy,
            mpsc::error::TrySendError::Closed(_) => AskError::Stopped,
        })
    }
}
