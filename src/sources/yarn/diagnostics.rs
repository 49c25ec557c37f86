//! What YARN's diagnostics of an application say: why it ended, or what it waits for. Pure.

use crate::http::one_line;
use crate::model::{Failure, PlatformWait};
use crate::sources::flink::root_cause;

use super::app::App;
use super::wire::Metrics;

/// In place of a class where the cause is no Java exception.
const YARN: &str = "YARN";
/// Longest message kept, in characters.
const MAX_MESSAGE: usize = 300;

/// Why an application failed, as one failure at its end.
pub(super) fn cause(app: &App) -> Failure {
    let text = app.diagnostics.trim();
    let at = app.finished.unwrap_or(app.started);
    let plain = |message: String| Failure {
        at,
        task: None,
        class: YARN.to_owned(),
        message: one_line(&message, MAX_MESSAGE),
        frame: None,
        taskmanager: None,
        gave_up: true,
    };
    if text.is_empty() {
        return plain(
            "it failed, and YARN gives no reason (look at the JobManager's log)".to_owned(),
        );
    }
    if let Some(reason) = container_end(text) {
        return plain(reason);
    }
    // Flink says goodbye with a stack trace.
    let found = root_cause::extract(None, text);
    if found.class.is_empty() || found.hollow {
        return plain(text.to_owned());
    }
    let mut failure = plain(found.message);
    failure.class = found.class;
    failure.frame = found.frame;
    failure
}

/// How the container of the `ApplicationMaster` ended, where that is what YARN speaks of.
fn container_end(text: &str) -> Option<String> {
    let is_of_container =
        text.contains("AM Container for") || text.contains("ApplicationMaster for attempt");
    if !is_of_container {
        return None;
    }
    if let Some(limit) = text.find("running beyond") {
        let rest = text.get(limit..).unwrap_or("");
        let end = rest.find(". Killing").or_else(|| rest.find('\n')).unwrap_or(rest.len());
        let what = rest.get(..end).unwrap_or(rest);
        return Some(format!("the JobManager's container was {what}"));
    }
    if text.contains("timed out") {
        return Some("the JobManager was silent for too long: YARN expired it".to_owned());
    }
    let Some(code) = number_after(text, "exitCode:") else {
        return Some(text.to_owned());
    };
    let meaning = meaning(code);
    let said = after(text, "Diagnostics:").map(|t| without_date(t.trim_start()));
    let said = said.and_then(|t| t.lines().next()).map(str::trim).filter(|t| !t.is_empty());
    Some(match said {
        Some(said) => format!("the JobManager's container exited with {code}{meaning}: {said}"),
        None => format!("the JobManager's container exited with {code}{meaning}"),
    })
}

/// What is known of an exit code: YARN's own are negative (`ContainerExitStatus`), Flink's are those
/// of `ClusterEntrypoint`, what is beyond 128 is a signal.
fn meaning(code: i64) -> &'static str {
    match code {
        1 => " (Flink did not start)",
        2 => " (Flink gave up)",
        137 => " (killed, often for its memory)",
        143 => " (told to end)",
        239 => " (a fatal error of Flink)",
        -100 => " (its node was lost)",
        -102 => " (preempted)",
        -103 => " (too much virtual memory)",
        -104 => " (too much memory)",
        -107..=-105 => " (killed by YARN)",
        _ => "",
    }
}

/// Hadoop 3 puts a date before each part: `[2026-11-21 10:00:00.000]Exception from …`.
fn without_date(text: &str) -> &str {
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest,
        None => text,
    }
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).and_then(|at| text.get(at + mark.len()..))
}

fn number_after(text: &str, mark: &str) -> Option<i64> {
    let rest = after(text, mark)?.trim_start();
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// What an accepted application waits for: the capacity scheduler says so in the diagnostics; with
/// another one the whole cluster's numbers have to do.
pub(super) fn waits(app: &App, cluster: Option<&Metrics>) -> PlatformWait {
    let text = &app.diagnostics;
    let queue = app.queue.clone();
    let is_full = text.contains("AM resource limit exceeded");
    let of = |used: &str, most: &str| Some((resource(text, used)?, resource(text, most)?));
    let masters = of("Queue AM Resource Usage = ", "Queue Resource Limit for AM = ");
    let whole = of(
        "Queue's used capacity (absolute resource) = ",
        "Queue's max capacity (absolute resource) = ",
    );
    let found = if is_full { masters.or(whole) } else { whole.or(masters) };
    if let Some((used, most)) = found {
        return PlatformWait {
            queue,
            of_masters: found == masters && (is_full || whole.is_none()),
            of_cluster: false,
            used_mb: Some(used.0),
            most_mb: Some(most.0),
            used_vcores: Some(used.1),
            most_vcores: Some(most.1),
        };
    }
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    match cluster {
        Some(all) => PlatformWait {
            queue,
            of_masters: false,
            of_cluster: true,
            used_mb: count(all.allocated_mb),
            most_mb: count(all.total_mb),
            used_vcores: count(all.allocated_vcores),
            most_vcores: count(all.total_vcores),
        },
        None => PlatformWait { queue, ..PlatformWait::default() },
    }
}

/// `<memory:2048, vCores:1>` after a mark: MB and cores.
fn resource(text: &str, mark: &str) -> Option<(u64, u64)> {
    let rest = after(text, mark)?.strip_prefix("<memory:")?;
    let inside = rest.split_once('>')?.0;
    let (memory, cores) = inside.split_once(", vCores:")?;
    // Further resources, such as GPUs, follow.
    let cores = cores.split(',').next()?;
    Some((memory.trim().parse().ok()?, cores.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(diagnostics: &str) -> App {
        App {
            queue: "prod".to_owned(),
            finished: Some(77),
            diagnostics: diagnostics.to_owned(),
            ..App::default()
        }
    }

    #[test]
    fn why_it_failed_is_one_line() {
        let launch = "Application application_1_1 failed 2 times (global limit =2; local limit is =2) \
            due to AM Container for appattempt_1_1_000002 exited with  exitCode: 1\n\
            Failing this attempt.Diagnostics: [2026-11-21 10:00:00.000]Exception from container-launch.\n\
            Container id: container_1_1_02_000001\nExit code: 1";
        let memory = "Application application_1_1 failed 1 times due to AM Container for x exited \
            with exitCode: -104\nFailing this attempt.Diagnostics: [2026-11-21 10:00:00.000]Container \
            [pid=7,containerID=container_1] is running beyond physical memory limits. Current usage: \
            1.1 GB of 1 GB physical memory used; 3.4 GB of 2.1 GB virtual memory used. Killing container.\n\
            Dump of the process-tree";
        let lost =
            "Application a failed 1 times due to AM Container for b exited with exitCode: -100";
        let silent = "Application a failed 1 times due to ApplicationMaster for attempt b timed out. \
            Failing the application.";
        let flink = "org.apache.flink.runtime.JobException: Recovery is suppressed by \
            NoRestartBackoffTimeStrategy\n\tat org.apache.flink.A.b(A.java:1)\n\
            Caused by: java.io.IOException: disk gone\n\tat com.example.Sink.write(Sink.java:42)\n";
        for (text, class, words) in [
            (
                launch,
                "YARN",
                "exited with 1 (Flink did not start): Exception from container-launch.",
            ),
            (
                memory,
                "YARN",
                "was running beyond physical memory limits. Current usage: 1.1 GB of 1 GB",
            ),
            (lost, "YARN", "exited with -100 (its node was lost)"),
            (silent, "YARN", "silent for too long"),
            (flink, "java.io.IOException", "disk gone"),
            ("Shutdown requested\nby somebody", "YARN", "Shutdown requested by somebody"),
            ("  ", "YARN", "gives no reason"),
        ] {
            let failure = cause(&app(text));
            assert!(failure.message.contains(words), "{words}: {failure:?}");
            assert_eq!((failure.class.as_str(), failure.at), (class, 77), "{words}");
            assert!(failure.gave_up && !failure.message.contains('\n'), "{failure:?}");
        }
        assert_eq!(cause(&app(flink)).frame.as_deref(), Some("Sink.write(Sink.java:42)"));
        assert!(cause(&app(&"x y ".repeat(9_000))).message.chars().count() <= MAX_MESSAGE + 1);
    }

    #[test]
    fn what_it_waits_for_is_named_with_used_and_most() {
        let full = "[Sat Nov 21 10:00:00 +0000 2026] Application is Activated, waiting for resources \
            to be assigned for AM.  Details : AM Partition = <DEFAULT_PARTITION> ; Partition Resource = \
            <memory:8192, vCores:8> ; Queue's Absolute capacity = 100.0 % ; Queue's Absolute used \
            capacity = 75.0 % ; Queue's Absolute max capacity = 100.0 % ; Queue's capacity (absolute \
            resource) = <memory:8192, vCores:8> ; Queue's used capacity (absolute resource) = \
            <memory:6144, vCores:3> ; Queue's max capacity (absolute resource) = <memory:8192, vCores:8> ; ";
        let masters = "Application is added to the scheduler and is not yet activated. Queue's AM \
            resource limit exceeded.  Details : AM Partition = <DEFAULT_PARTITION>; AM Resource Request \
            = <memory:1024, vCores:1>; Queue Resource Limit for AM = <memory:1024, vCores:1>; User AM \
            Resource Limit of the queue = <memory:1024, vCores:1>; Queue AM Resource Usage = \
            <memory:2048, vCores:1, yarn.io/gpu: 0>; ";
        let cluster = Metrics {
            allocated_mb: Some(90),
            total_mb: Some(100),
            allocated_vcores: Some(-1),
            ..Metrics::default()
        };
        let wait = |used, most, cores: (u64, u64)| PlatformWait {
            queue: "prod".to_owned(),
            used_mb: Some(used),
            most_mb: Some(most),
            used_vcores: Some(cores.0),
            most_vcores: Some(cores.1),
            ..PlatformWait::default()
        };
        let of_cluster = PlatformWait {
            queue: "prod".to_owned(),
            of_cluster: true,
            used_mb: Some(90),
            most_mb: Some(100),
            ..PlatformWait::default()
        };
        let nothing = PlatformWait { queue: "prod".to_owned(), ..PlatformWait::default() };
        for (text, all, expected) in [
            (full, Some(&cluster), wait(6_144, 8_192, (3, 8))),
            (
                masters,
                Some(&cluster),
                PlatformWait { of_masters: true, ..wait(2_048, 1_024, (1, 1)) },
            ),
            ("", Some(&cluster), of_cluster),
            ("Queue's used capacity (absolute resource) = <mem", None, nothing),
        ] {
            assert_eq!(waits(&app(text), all), expected, "{text}");
        }
    }
}
