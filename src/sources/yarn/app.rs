//! An application of the listing, read: pure.

use crate::http::one_line;

use super::config::YarnConfig;
use super::wire;

/// A longer name is cut: it is a key, a label and a line on a page.
const MAX_NAME: usize = 500;
/// Diagnostics are read up to here.
const MAX_DIAGNOSTICS: usize = 16 * 1024;

/// An application as YARN shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct App {
    /// `application_<start of the ResourceManager>_<number>`.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) queue: String,
    /// Comma-separated.
    pub(super) tags: String,
    pub(super) state: State,
    pub(super) outcome: Outcome,
    /// ms; made up from the id where YARN does not tell.
    pub(super) started: i64,
    /// ms.
    pub(super) finished: Option<i64>,
    /// `host:port` of Flink's REST API.
    pub(super) rpc: Option<String>,
    /// Which `ApplicationMaster` it is, from 1.
    pub(super) attempt: Option<u32>,
    pub(super) diagnostics: String,
}

/// `YarnApplicationState`, as far as it differs for Weir.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    /// `NEW`, `NEW_SAVING`, `SUBMITTED`, `ACCEPTED`: no `ApplicationMaster` has reported yet.
    Waiting,
    Running,
    Finished,
    Failed,
    Killed,
    /// A word nobody has heard of.
    #[default]
    Other,
}

/// `FinalApplicationStatus`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    #[default]
    Undefined,
    Succeeded,
    Failed,
    Killed,
}

/// Reads a row; one without a usable id is none.
pub(super) fn read(row: wire::App) -> Option<App> {
    let id = row.id?;
    let (began, number) = parts(&id)?;
    let text = |text: Option<String>| text.map_or_else(String::new, |t| one_line(&t, MAX_NAME));
    let time = |ms: Option<i64>| ms.filter(|ms| *ms > 0);
    let name = text(row.name);
    let mut diagnostics = row.diagnostics.unwrap_or_default();
    cut(&mut diagnostics, MAX_DIAGNOSTICS);
    Some(App {
        name: if name.is_empty() { id.clone() } else { name },
        user: text(row.user),
        queue: text(row.queue),
        tags: text(row.application_tags),
        state: state(row.state.as_deref().unwrap_or("")),
        outcome: outcome(row.final_status.as_deref().unwrap_or("")),
        started: time(row.started_time).unwrap_or(began.saturating_add(number)),
        finished: time(row.finished_time),
        rpc: row.am_rpc_address,
        attempt: row.am_container_logs.as_deref().and_then(attempt),
        diagnostics,
        id,
    })
}

/// `application_1700000000000_0042`: when its ResourceManager began, and its number.
fn parts(id: &str) -> Option<(i64, i64)> {
    let (began, number) = id.strip_prefix("application_")?.split_once('_')?;
    let digits = |t: &str| (1..=18).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(began) || !digits(number) {
        return None;
    }
    Some((began.parse().ok()?, number.parse().ok()?))
}

fn state(word: &str) -> State {
    match word {
        "NEW" | "NEW_SAVING" | "SUBMITTED" | "ACCEPTED" => State::Waiting,
        "RUNNING" => State::Running,
        "FINISHED" => State::Finished,
        "FAILED" => State::Failed,
        "KILLED" => State::Killed,
        _ => State::Other,
    }
}

fn outcome(word: &str) -> Outcome {
    match word {
        // Of its parts each has an outcome of its own; Flink has none.
        "SUCCEEDED" | "ENDED" => Outcome::Succeeded,
        "FAILED" => Outcome::Failed,
        "KILLED" => Outcome::Killed,
        _ => Outcome::Undefined,
    }
}

/// The attempt a container belongs to: `…/container_e03_1700000000000_0042_02_000001/flink`.
fn attempt(logs: &str) -> Option<u32> {
    let container = logs.split('/').find_map(|part| part.strip_prefix("container_"))?;
    let mut parts = container.rsplit('_');
    parts.next()?;
    parts.next()?.parse().ok()
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}

/// Whether the configuration asks for it. `kind`: its application type.
pub(super) fn is_wanted(config: &YarnConfig, app: &App, kind: Option<&str>) -> bool {
    let any = |wanted: &[String], is: &dyn Fn(&String) -> bool| {
        wanted.is_empty() || wanted.iter().any(is)
    };
    let has_tag =
        |tag: &String| app.tags.split(',').any(|has| has.trim().eq_ignore_ascii_case(tag));
    // The ResourceManager was asked for these types; not every gateway passes that on.
    let of_type = |wanted: &String| kind.is_none_or(|kind| kind.eq_ignore_ascii_case(wanted));
    any(&config.application_types, &of_type)
        && any(&config.queues, &|queue| is_in(&app.queue, queue))
        && any(&config.users, &|user| app.user == *user)
        && any(&config.tags, &has_tag)
}

/// `root.prod.etl` is in `root.prod`, in `prod`, and in `etl`.
fn is_in(queue: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches("root.");
    let queue = queue.trim_start_matches("root.");
    let below = |queue: &str| {
        queue == wanted || queue.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
    };
    below(queue) || queue.rsplit('.').next() == Some(wanted) || wanted == "root"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> wire::App {
        wire::App { id: Some(id.to_owned()), ..wire::App::default() }
    }

    #[test]
    fn a_row_is_read_and_one_without_an_id_is_none() {
        let logs = "http://nm:8042/node/containerlogs/container_e03_17_0042_02_000001/flink";
        let full = wire::App {
            name: Some("orders".to_owned()),
            state: Some("RUNNING".to_owned()),
            final_status: Some("UNDEFINED".to_owned()),
            started_time: Some(99),
            finished_time: Some(0),
            am_container_logs: Some(logs.to_owned()),
            ..row("application_17_0042")
        };
        let app = read(full).unwrap();
        assert_eq!((app.name.as_str(), app.state), ("orders", State::Running));
        assert_eq!((app.started, app.finished, app.attempt), (99, None, Some(2)));
        let bare = read(row("application_17_0042")).unwrap();
        assert_eq!((bare.name.as_str(), bare.started), ("application_17_0042", 59));
        for id in ["", "application_17", "application_17_x", "job_17_1", "application_1_../../x"] {
            assert!(read(row(id)).is_none(), "{id}");
        }
        let long = wire::App {
            diagnostics: Some("订".repeat(10_000)),
            name: Some("n\n".repeat(2_000)),
            ..row("application_1_1")
        };
        let long = read(long).unwrap();
        assert!(long.diagnostics.len() <= MAX_DIAGNOSTICS && !long.name.contains('\n'));
    }

    #[test]
    fn attempts_are_read_from_containers() {
        for (logs, expected) in [
            ("http://nm/node/containerlogs/container_17_0042_03_000001/u", Some(3)),
            ("http://nm/node/containerlogs/container_e9_17_0042_11_000001/u", Some(11)),
            ("http://nm/node", None),
            ("container_", None),
        ] {
            assert_eq!(attempt(logs), expected, "{logs}");
        }
    }

    #[test]
    fn filters_hold_all_together() {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let app = App {
            queue: "root.prod.etl".to_owned(),
            user: "flink".to_owned(),
            tags: "team-a, weir".to_owned(),
            ..App::default()
        };
        let base = YarnConfig::at("emr", list(&["http://rm"]));
        let queues = |q: &[&str]| YarnConfig { queues: list(q), ..base.clone() };
        for (config, kind, expected) in [
            (base.clone(), Some("Apache Flink"), true),
            (base.clone(), None, true),
            (base.clone(), Some("SPARK"), false),
            (queues(&["prod"]), None, true),
            (queues(&["root.prod"]), None, true),
            (queues(&["etl"]), None, true),
            (queues(&["root.prod.etl"]), None, true),
            (queues(&["root"]), None, true),
            (queues(&["pro"]), None, false),
            (queues(&["dev", "prod"]), None, true),
            (YarnConfig { users: list(&["hdfs"]), ..queues(&["prod"]) }, None, false),
            (YarnConfig { tags: list(&["WEIR"]), ..base.clone() }, None, true),
            (YarnConfig { tags: list(&["wei"]), ..base.clone() }, None, false),
        ] {
            assert_eq!(is_wanted(&config, &app, kind), expected, "{config:?} {kind:?}");
        }
    }
}
