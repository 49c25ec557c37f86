use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::model::{IncidentState, MessageState, Outcome};
use crate::store::contract::{self, NOW, samples};

fn url(dir: &TempDir) -> String {
    format!("sqlite://{}", dir.path().join("weir.db").display())
}

async fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(&url(dir)).await.unwrap()
}

async fn refused(url: &str) -> String {
    SqliteStore::open(url).await.unwrap_err().to_string()
}

/// The migrations there are, and one more.
fn with(text: &'static str) -> Vec<&'static str> {
    schema::MIGRATIONS.iter().copied().chain([text]).collect()
}

macro_rules! contract {
    ($($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            let dir = TempDir::new().unwrap();
            contract::$name(&open(&dir).await).await;
            contract::$name(&SqliteStore::open("sqlite::memory:").await.unwrap()).await;
        }
    )*};
}
contract!(
    round_trip,
    ambiguous_batch,
    last_word_wins,
    load_is_bounded,
    paging,
    notices_are_traced,
    prune_keeps_what_matters,
    timelines_are_bounded,
    history,
    memory_is_like,
    report
);

#[tokio::test]
async fn a_reopened_store_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
    let name = store.load(NOW).await.unwrap().installation;
    drop(store);
    let store = open(&dir).await;
    let loaded = store.load(NOW).await.unwrap();
    assert_eq!((loaded.jobs.len(), loaded.installation), (1, name));
    // A batch whose answer was lost before the crash is still known.
    store.commit("b1", &[samples::job("k", "2")]).await.unwrap();
    assert_eq!(store.load(NOW).await.unwrap().jobs[0].1, "1");
    store.close().await;
    let mode = fs::metadata(dir.path().join("weir.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_second_opener_is_told_the_pid_of_the_first() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let error = refused(&url(&dir)).await;
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(error.contains("store.url"), "{error}");
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
}

/// The other process of the test below; does nothing when it is run by itself.
#[tokio::test]
async fn holder() {
    if !Path::new("hold").exists() {
        return;
    }
    let store = SqliteStore::open("sqlite://weir.db").await.unwrap();
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
    println!("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[tokio::test]
async fn a_killed_process_frees_its_lock() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("hold"), "").unwrap();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--nocapture", "--exact", "store::sqlite::tests::holder"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(holder.stdout.take().unwrap());
    assert!(output.lines().map_while(Result::ok).any(|line| line.contains("held")));
    let error = refused(&url(&dir)).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(error.contains(&format!("process {}", holder.id())), "{error}");
    // What was committed before SIGKILL is there, and the batch is known.
    let store = open(&dir).await;
    store.commit("b1", &[samples::job("k", "2")]).await.unwrap();
    assert_eq!(store.load(NOW).await.unwrap().jobs, [("k".to_owned(), "1".to_owned())]);
}

#[tokio::test]
async fn a_newer_schema_and_a_strangers_file_are_refused() {
    let dir = TempDir::new().unwrap();
    let later = with("CREATE TABLE later (x INTEGER)");
    SqliteStore::open_with(&url(&dir), &later).await.unwrap().close().await;
    let error = refused(&url(&dir)).await;
    let known = schema::MIGRATIONS.len();
    let expected = format!("has schema {} and this weir knows only {known}", known + 1);
    assert!(error.contains(&expected), "{error}");

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("weir.db");
    let mut conn = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    sqlx::query("CREATE TABLE theirs (x)").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let error = refused(&url(&dir)).await;
    assert!(error.contains("another program"), "{error}");
}

#[tokio::test]
async fn a_migration_keeps_a_copy_of_the_old_file() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
    drop(store);
    let broken = with("CREATE TABLE later (x INTEGER); NONSENSE");
    SqliteStore::open_with(&url(&dir), &broken).await.unwrap_err();
    let later = with("CREATE TABLE later (x INTEGER)");
    let store = SqliteStore::open_with(&url(&dir), &later).await.unwrap();
    assert_eq!(store.load(NOW).await.unwrap().jobs.len(), 1);
    let copy = dir.path().join(format!("weir.db.before-v{}", later.len()));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let old = SqliteStore::open(&format!("sqlite://{}", copy.display())).await.unwrap();
    assert_eq!(old.load(NOW).await.unwrap().jobs.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let missing = format!("sqlite://{}/no/weir.db", dir.path().display());
    let error = refused(&missing).await;
    assert!(error.contains("/no does not exist; create it"), "{error}");

    let error = refused(&format!("sqlite://{}", dir.path().display())).await;
    assert!(error.contains("is a directory"), "{error}");

    fs::write(dir.path().join("weir.db"), "no database at all, but long enough ".repeat(50))
        .unwrap();
    let error = refused(&url(&dir)).await;
    assert!(error.contains("damaged or not an SQLite database"), "{error}");
}

#[tokio::test]
async fn a_damaged_page_is_refused_not_retried() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let rows: Vec<_> = (0..500).map(|i| samples::job(&format!("k{i}"), &"x".repeat(500))).collect();
    store.commit("b1", &rows).await.unwrap();
    store.close().await;
    let path = dir.path().join("weir.db");
    let mut bytes = fs::read(&path).unwrap();
    let size = bytes.len();
    bytes[4096 * 2..size - 4096].fill(0xab);
    fs::write(&path, bytes).unwrap();
    let error = match SqliteStore::open(&url(&dir)).await {
        Ok(store) => store.load(NOW).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
}

#[tokio::test]
async fn a_read_only_file_is_unavailable() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir).await);
    let path = dir.path().join("weir.db");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    // The superuser writes everywhere; for everybody else the mode must be noticed.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        let error = refused(&url(&dir)).await;
        assert!(error.contains("no permission to write"), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let store = open(&dir).await;
    pragma(&store, "PRAGMA query_only = ON").await;
    let error = store.commit("b1", &[samples::job("k", "1")]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(e) if e.contains("is read-only")), "{error}");
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
}

async fn pragma(store: &SqliteStore, sql: &'static str) {
    sqlx::query(sql).execute(&mut store.writer.lock().await.conn).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_got_over() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
    pragma(&store, "PRAGMA max_page_count = 1").await;
    let big: Vec<_> = (0..2000)
        .map(|i| samples::job(&format!("k{i}"), &"x".repeat(1000)))
        .chain([samples::job("k", "2")])
        .collect();
    let error = store.commit("b2", &big).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(e) if e.contains("is full")), "{error}");
    let jobs = store.load(NOW).await.unwrap().jobs;
    assert_eq!(jobs, [("k".to_owned(), "1".to_owned())], "all or nothing");
    // The connection was replaced and with it the limit: there is space again.
    store.commit("b2", &big).await.unwrap();
    assert_eq!(store.load(NOW).await.unwrap().jobs.len(), 2001);
}

#[tokio::test]
async fn a_locked_file_is_unavailable_and_the_retry_goes_through() {
    let dir = TempDir::new().unwrap();
    let mut store = open(&dir).await;
    let impatient = store.options.clone().busy_timeout(Duration::from_millis(10));
    store.options = impatient.clone();
    store.writer.get_mut().conn = impatient.connect().await.unwrap();
    let mut other = impatient.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = store.commit("b1", &[samples::job("k", "1")]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(e) if e.contains("is locked")), "{error}");
    store.load(NOW).await.expect("readers are not held up");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.commit("b1", &[samples::job("k", "1")]).await.unwrap();
}

#[tokio::test]
async fn a_commit_dropped_half_way_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let changes: Vec<_> = (0..5000).map(|i| samples::job(&format!("k{i}"), "x")).collect();
    {
        let mut commit = store.commit("b1", &changes);
        for _ in 0..5 {
            // Polled a few times and dropped, as a shutdown would.
            tokio::select! { biased; _ = &mut commit => break, () = tokio::task::yield_now() => {} }
        }
    }
    store.commit("b2", &[samples::job("k", "1")]).await.unwrap();
    let jobs = store.load(NOW).await.unwrap().jobs.len();
    assert!(jobs == 1 || jobs == 5001, "{jobs}");
}

#[tokio::test]
async fn batch_ids_are_bounded_and_the_file_is_set_up_as_meant() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    pragma(&store, "PRAGMA synchronous = OFF").await;
    for i in 0..1200 {
        store.commit(&format!("b{i}"), &[]).await.unwrap();
    }
    let mut writer = store.writer.lock().await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM batches")
        .fetch_one(&mut writer.conn)
        .await
        .unwrap();
    assert_eq!(kept, 1000);
    let vacuum: i64 =
        sqlx::query_scalar("PRAGMA auto_vacuum").fetch_one(&mut writer.conn).await.unwrap();
    assert_eq!(vacuum, 2, "freed pages can be given back");
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut writer.conn).await.unwrap();
    assert_eq!(journal, "wal");
}

/// What a load should show after these changes, told in the simplest way.
fn expected(changes: &[Change]) -> (BTreeMap<String, String>, BTreeMap<u64, Incident>) {
    let (mut jobs, mut incidents) = (BTreeMap::new(), BTreeMap::new());
    for change in changes {
        match change {
            Change::Job { key, body } => drop(jobs.insert(key.clone(), body.clone())),
            Change::ForgetJob { key } => drop(jobs.remove(key)),
            Change::Incident(i) => drop(incidents.insert(i.id, (**i).clone())),
            _ => {}
        }
    }
    (jobs, incidents)
}

fn change() -> impl Strategy<Value = Change> {
    let state = prop_oneof![
        Just(IncidentState::Open),
        Just(IncidentState::Acknowledged),
        Just(IncidentState::Resolved)
    ];
    prop_oneof![
        ("[a-c]{1,2}|.{0,6}", ".{0,40}").prop_map(|(k, b)| samples::job(&k, &b)),
        "[a-c]{1,2}".prop_map(|key| Change::ForgetJob { key }),
        (1..9u64, ".{1,9}", state, any::<bool>()).prop_map(|(id, job, state, flapping)| {
            let mut incident = samples::incident(id, &job, state, NOW);
            incident.flapping = flapping;
            Change::Incident(Box::new(incident))
        }),
        (1..9u64).prop_map(|id| {
            Change::Notice(Box::new(samples::notice(id, id, Outcome::Pending, NOW)))
        }),
        (1..9u64).prop_map(|id| {
            Change::Message(Box::new(samples::message(id, MessageState::Due, NOW)))
        }),
        (1..9u64, 0..50i64, ".{0,20}").prop_map(|(id, at, what)| samples::event(id, at, &what)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_committed_is_loaded(batches in prop::collection::vec(
        prop::collection::vec(change(), 0..12), 1..6), again in any::<bool>())
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open("sqlite::memory:").await.unwrap();
            for (i, changes) in batches.iter().enumerate() {
                let id = format!("b{i}");
                store.commit(&id, changes).await.unwrap();
                if again {
                    store.commit(&id, changes).await.unwrap();
                }
            }
            let loaded = store.load(NOW).await.unwrap();
            let (jobs, incidents) = expected(&batches.concat());
            assert_eq!(loaded.jobs, jobs.into_iter().collect::<Vec<_>>());
            assert_eq!(loaded.incidents, incidents.into_values().collect::<Vec<_>>());
        });
    }
}

/// Rows of all kinds a report counts.
fn counted() -> impl Strategy<Value = Change> {
    let at = || (0..6i64).prop_map(|hours| crate::model::Ts(NOW.0 - hours * 1_800_000));
    let outcome = prop_oneof![
        Just(Outcome::Sent),
        Just(Outcome::Pending),
        Just(Outcome::Muted),
        Just(Outcome::Brief),
        Just(Outcome::Folded),
        Just(Outcome::Failed)
    ];
    let held = prop_oneof![
        Just(None),
        "[ab]{0,2}".prop_map(Some),
        Just(Some("inhibited by #3".to_owned()))
    ];
    prop_oneof![
        ("[a-c]", at(), 0..5u64).prop_map(|(job, at, count)| Change::Failures {
            job: format!("prod/{job}"),
            at,
            count
        }),
        (1..9u64, "[a-c]", any::<bool>(), at(), "[XY]").prop_map(|(id, job, open, at, rule)| {
            let state = if open { IncidentState::Open } else { IncidentState::Resolved };
            let mut incident = samples::incident(id, &job, state, at);
            incident.rule = rule;
            Change::Incident(Box::new(incident))
        }),
        (1..20u64, 1..9u64, outcome, at(), held, "[rs]").prop_map(
            |(id, incident, outcome, at, held_by, receiver)| {
                let mut notice = samples::notice(id, incident, outcome, at);
                notice.to.receiver = receiver;
                notice.held_by = held_by;
                Change::Notice(Box::new(notice))
            }
        ),
        (1..9u64, any::<bool>(), at()).prop_map(|(id, sent, at)| {
            let state = if sent { MessageState::Sent } else { MessageState::Shadow };
            Change::Message(Box::new(samples::message(id, state, at)))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn a_report_is_what_one_counts_by_hand(
        changes in prop::collection::vec(counted(), 0..60), hours in 0..7i64)
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open("sqlite::memory:").await.unwrap();
            let mut memory = crate::store::MemoryStore::new("m");
            memory.apply(changes.clone());
            store.commit("b", &changes).await.unwrap();
            let since = crate::model::Ts(NOW.0 - hours * 1_800_000);
            assert_eq!(store.report(since).await.unwrap(), memory.report(since));
        });
    }
}

/// A month of a large installation, written by the database itself.
#[tokio::test]
async fn a_months_report_reads_no_row_into_memory() {
    let store = SqliteStore::open("sqlite::memory:").await.unwrap();
    let changes = [
        Change::Incident(Box::new(samples::incident(1, "a", IncidentState::Resolved, NOW))),
        Change::Notice(Box::new(samples::notice(1, 1, Outcome::Sent, NOW))),
        Change::Message(Box::new(samples::message(1, MessageState::Sent, NOW))),
    ];
    store.commit("b", &changes).await.unwrap();
    let mut writer = store.writer.lock().await;
    for statement in [
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO \
         incidents SELECT i, state, 'prod/' || (i % 500), opened_at, resolved_at, resolved_steady, \
         body FROM n, incidents WHERE id = 1",
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO \
         notices SELECT i, 1 + i % 20000, receiver, channel, outcome, at, body FROM n, notices \
         WHERE id = 1",
        "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO \
         messages SELECT i, receiver, channel, state, at, at_steady, body, kind FROM n, messages \
         WHERE id = 1",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO \
         failures SELECT 360000000 + 3600000 * (i / 500), 'prod/' || (i % 500), 1 FROM n",
    ] {
        sqlx::raw_sql(statement).execute(&mut writer.conn).await.unwrap();
    }
    drop(writer);
    let clock = SystemClock::anchored(None);
    let began = clock.now().steady;
    let report = store.report(NOW).await.unwrap();
    let took = clock.now().steady.since(began);
    assert!(took.as_secs() < 10, "{} ms", took.as_millis());
    assert_eq!(report.failures, 100_000);
    assert_eq!(report.opened.total(), 20_000);
    assert_eq!(report.receivers[0].notices["sent"], 100_000);
    assert_eq!((report.jobs.len(), report.rules.len()), (Report::NOISIEST, 1));
}

#[tokio::test]
async fn a_row_nobody_can_read_is_refused() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let incident = samples::incident(1, "a", IncidentState::Open, NOW);
    store.commit("b1", &[Change::Incident(Box::new(incident))]).await.unwrap();
    pragma(&store, "UPDATE incidents SET body = '{\"id\":1}'").await;
    let error = store.load(NOW).await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused(e) if e.contains("cannot read")), "{error}");
}

/// Paths are the user's: spaces, percent signs and non-ASCII stay as they are.
#[tokio::test]
async fn odd_file_names_are_taken_literally() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("we ir%20存.db");
    let store = SqliteStore::open(&format!("sqlite://{}", path.display())).await.unwrap();
    store.commit("b", &[]).await.unwrap();
    assert!(Path::exists(&path));
}
