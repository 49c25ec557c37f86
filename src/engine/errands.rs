//! One errand of a restart carried out: whatever its driver does, something is told of it.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::actions::Performer;
use crate::clock::Clock;
use crate::model::{Errand, LookedUp, Started, Stopped, Task, Told};

/// No errand takes longer, whatever its driver does.
const WITHIN: Duration = Duration::from_mins(45);
/// What was decided longer ago than this is decided anew: the process stood still meanwhile.
const STALE_AFTER: Duration = Duration::from_secs(20);

/// Has its driver do it. Stopped half way, nobody knows what came of it: the next start looks.
pub(super) async fn carry_out(
    performer: &dyn Performer,
    clock: &dyn Clock,
    errand: &Errand,
) -> Told {
    if clock.now().steady.since(errand.since) > STALE_AFTER {
        return Told::Expired;
    }
    let done = AssertUnwindSafe(performer.perform(errand)).catch_unwind();
    match tokio::time::timeout(WITHIN, done).await {
        Ok(Ok(told)) => told,
        Ok(Err(_)) => no_word(&errand.task, "its driver broke down, a bug".to_owned()),
        Err(_) => no_word(&errand.task, format!("no answer within {} s", WITHIN.as_secs())),
    }
}

/// What is told of an errand that never came back.
fn no_word(task: &Task, error: String) -> Told {
    match task {
        Task::Check(paths) => {
            Told::Checked(paths.iter().map(|path| (path.clone(), None)).collect())
        }
        Task::Start => Told::Started(Started::Unclear { error }),
        Task::LookUp => Told::LookedUp(LookedUp::Undecided { error }),
        Task::Stop => Told::Stopped(Stopped::Unclear { error }),
        Task::Cancel(_) => Told::Cancelled(Some(error)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::model::{JobKey, Labels, Order, Time, Ts};

    struct Broken;

    impl Performer for Broken {
        fn perform<'a>(&'a self, _: &'a Errand) -> BoxFuture<'a, Told> {
            async { panic!("a bug of a driver") }.boxed()
        }
    }

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Time {
            Time::at(self.0)
        }
    }

    fn errand(task: Task) -> Errand {
        let order = Order {
            restart: 1,
            handle: "0".repeat(32),
            job: JobKey("prod/orders".to_owned()),
            job_name: "orders".to_owned(),
            flink_job_name: "orders".to_owned(),
            cluster: "prod".to_owned(),
            namespace: String::new(),
            flink_cluster: "prod".to_owned(),
            labels: Labels::default(),
            dead: None,
            from: None,
            version: None,
            inventory: None,
            may_cancel: false,
        };
        Errand { policy: "orders".to_owned(), order, task, since: Ts(0) }
    }

    #[tokio::test]
    async fn a_driver_that_breaks_down_is_told_as_unclear_and_what_is_old_is_not_begun() {
        let told = carry_out(&Broken, &At(0), &errand(Task::Start)).await;
        assert!(matches!(told, Told::Started(Started::Unclear { .. })), "{told:?}");
        let told = carry_out(&Broken, &At(0), &errand(Task::Cancel("x".to_owned()))).await;
        assert!(matches!(told, Told::Cancelled(Some(_))), "{told:?}");
        let told = carry_out(&Broken, &At(20_001), &errand(Task::Start)).await;
        assert_eq!(told, Told::Expired);
    }
}
