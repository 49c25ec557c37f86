//! The HTTP side over a real socket: field names of the contract, paging, tokens, host names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use weir::engine::{Asker, ChannelView, Commander, JobView, SourceView, View};
use weir::metrics::Health;
use weir::model::{
    Aspect, Change, ChannelId, CheckpointRef, Frozen, Incident, IncidentState, JobKey, JobState,
    Labels, Manner, Member, Message, MessageKind, MessageState, Notice, NoticeReason, Outcome,
    RootCause, RuleId, RunId, Severity, Subject, Time, Ts,
};
use weir::store::{SqliteStore, Store};
use weir::web::{TokenConfig, Web, WebConfig};

const AT: Ts = Ts(1_700_000_000_000);
const NASTY: &str = "a\"b\\c\n</script><img src=x onerror=alert(1)> {{x}} 作业";

struct Server {
    address: SocketAddr,
    view: watch::Sender<Arc<View>>,
    health: watch::Sender<Arc<Health>>,
    store: Arc<dyn Store>,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
    _dir: TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

impl Server {
    async fn start(config: WebConfig) -> Server {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite://{}", dir.path().join("weir.db").display());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&url).await.unwrap());
        let (view, view_seen) = watch::channel(Arc::new(view()));
        let (health, health_seen) = watch::channel(Arc::default());
        let asker = Asker::unheard();
        let store_seen = Arc::clone(&store);
        let web = Web {
            view: view_seen,
            store: store_seen,
            health: health_seen,
            asker,
            commander: Commander::unheard(),
            links: None,
            reload: None,
        };
        let router = weir::web::router(&config, web).unwrap();
        // The configured address decides what is checked; the test always listens on loopback.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(weir::web::serve(listener, router, stop.clone()));
        Server { address, view, health, store, stop, task, _dir: dir }
    }

    async fn local() -> Server {
        Server::start(WebConfig::default()).await
    }

    async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    async fn send(&self, method: &str, path: &str, headers: &str) -> Answer {
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        self.raw(&format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n"))
            .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json().as_array().unwrap().clone()
    }
}

fn job(name: &str, state: JobState) -> Arc<JobView> {
    Arc::new(JobView {
        key: JobKey::new("prod", "", "", name),
        source: "prod".into(),
        cluster: "prod".into(),
        namespace: String::new(),
        flink_cluster: "prod".into(),
        name: name.into(),
        flink_job_name: name.into(),
        state,
        all_running: true,
        stale: false,
        missing: false,
        live_runs: 1,
        job_id: "ab".into(),
        start_time: AT,
        failures_total: 0,
        restarts: Some(2),
        last_checkpoint: Some(checkpoint()),
        checkpoint_from: Some(AT - std::time::Duration::from_millis(1_500)),
        lag_records: None,
        labels: Labels::from([
            ("job_name", name),
            ("team", if name == "a" { "ro" } else { "ads" }),
        ]),
        inventory: None,
        seen_by: Vec::new(),
        schedule: None,
        ui_url: None,
    })
}

fn checkpoint() -> CheckpointRef {
    CheckpointRef {
        id: Some(42),
        path: "s3://b/chk-42".into(),
        completed_at: AT,
        savepoint: false,
        run: RunId { start_time: 0, job_id: "ab".into() },
    }
}

fn channel() -> ChannelId {
    ChannelId { receiver: "platform".into(), channel: "feishu_bot".into() }
}

fn view() -> View {
    let mut view = View { at: Some(Time::at(AT.0)), ..View::default() };
    for job in
        [job("a", JobState::Running), job("b", JobState::Failed), job(NASTY, JobState::Failed)]
    {
        view.jobs.insert(job);
    }
    let up = SourceView { kind: "flink".into(), up: true, polls_ok: 1, ..SourceView::default() };
    view.sources.insert("prod".into(), std::sync::Arc::new(up));
    view.channels
        .insert(channel(), ChannelView { kind: "feishu_bot".into(), ..Default::default() });
    view
}

fn incident(id: u64, team: &str) -> Change {
    let rule =
        RuleId { group: "g".into(), alert: "JobFailed".into(), severity: Severity::Critical };
    let labels = Labels::from([("job_name", "a"), ("cluster", "prod"), ("team", team)]);
    let summary = ("summary".to_owned(), "a failed".to_owned());
    Change::Incident(Box::new(Incident {
        id,
        subject: Subject::Job(JobKey::new("prod", "", "", "a")),
        aspect: Aspect::from(Aspect::FAILURE),
        severity: Severity::Critical,
        state: IncidentState::Open,
        end_reason: None,
        opened_at: AT,
        resolved_at: None,
        quiet_since: None,
        opened_steady: AT,
        resolved_steady: None,
        occurrences: 4,
        occurrences_base: 0,
        given_up: false,
        peak_rank: 0,
        reopened: 0,
        flapping: false,
        first_look: false,
        members: vec![Member {
            rule,
            firing: true,
            since: AT,
            until: None,
            annotations: BTreeMap::from([summary]),
            labels: labels.clone(),
        }],
        rule: "JobFailed".into(),
        labels,
        root_cause: Some(RootCause {
            class: "com.x.PoisonRecordException".into(),
            message: "bad price".into(),
            frame: Some("OrderParser.java:42".into()),
            ..RootCause::default()
        }),
        checkpoint: Some(checkpoint()),
        restored_from: None,
        run: None,
        subject_state: "FAILED".into(),
        ui_url: None,
        inhibited_by: None,
        inhibited_until: None,
        acknowledged: None,
        named_job: None,
        nobodys_since: None,
        doing: None,
    }))
}

fn notice(id: u64) -> Change {
    Change::Notice(Box::new(Notice {
        id,
        incident: 128,
        to: channel(),
        reason: NoticeReason::Opened,
        rank: 4,
        outcome: Outcome::Sent,
        held_by: None,
        group: "0:{}".into(),
        message: Some(9),
        moved_to: None,
        known: None,
        unacknowledged_ms: None,
        at: AT,
        at_steady: AT,
        done_at: Some(AT),
        attempts: 1,
        error: None,
        steps: Vec::new(),
    }))
}

fn message() -> Change {
    Change::Message(Box::new(Message {
        id: 9,
        to: channel(),
        endpoint: "e".into(),
        channel_kind: "webhook".into(),
        kind: MessageKind::Incident,
        group: "0:{}".into(),
        notices: vec![7],
        named: 1,
        urgent: true,
        frozen: Frozen { body: "{\"secret\":\"frozen-bytes\"}".into(), title: "a failed".into() },
        state: MessageState::Sent,
        at: AT,
        at_steady: AT,
        attempts: 1,
        next_attempt: None,
        done_at: None,
        error: None,
        manner: Manner::Fresh,
        receipt: None,
        print: 0,
    }))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn has(value: &Value, names: &str) {
    for name in names.split(' ') {
        assert!(keys(value).contains(&name), "{name} missing in {value}");
    }
}

#[tokio::test]
async fn field_names_are_the_contract() {
    let server = Server::local().await;
    let event = Change::Event { incident: 128, at: AT, what: "opened".into() };
    server.store.commit("b", &[incident(128, "ro"), notice(7), message(), event]).await.unwrap();

    let job = &server.rows("/api/v1/jobs").await[0];
    has(
        job,
        "key cluster namespace flink_cluster name flink_job_name state stale live_runs job_id \
         start_time restarts last_checkpoint labels",
    );
    assert_eq!(job["start_time"], "2023-11-14T22:13:20Z");
    has(&job["last_checkpoint"], "id path completed_at");

    let incident = &server.rows("/api/v1/incidents").await[0];
    has(
        incident,
        "id subject job cluster aspect severity state end_reason title rule alerts opened_at \
         resolved_at occurrences summary root_cause labels silenced_by inhibited_by muted_by",
    );
    assert_eq!(incident["subject"], "job:prod/a");
    assert_eq!(incident["job"], "prod/a");
    assert_eq!(incident["cluster"], "prod");
    assert_eq!(incident["state"], "open");
    assert_eq!(incident["summary"], "a failed");
    assert_eq!(incident["root_cause"], "PoisonRecordException: bad price @ OrderParser.java:42");
    assert_eq!(
        incident["alerts"],
        json!([{"alertname": "JobFailed", "severity": "critical", "state": "firing",
                "since": "2023-11-14T22:13:20Z"}])
    );
    let detail = server.get("/api/v1/incidents/128").await.json();
    assert_eq!(detail["timeline"], json!([{"at": "2023-11-14T22:13:20Z", "what": "opened"}]));

    let notice = &server.rows("/api/v1/notices").await[0];
    has(notice, "id incident receiver channel reason outcome message at attempts error");
    assert_eq!((&notice["outcome"], &notice["message"]), (&json!("sent"), &json!(9)));
    let messages = server.get("/api/v1/messages").await;
    has(&messages.json()[0], "id receiver channel kind state title notices at attempts error");
    assert!(!messages.body.contains("frozen-bytes"), "bodies may carry secrets");
    has(&server.rows("/api/v1/sources").await[0], "name kind up error jobs poll_duration_seconds");
    has(&server.get("/api/v1/status").await.json(), "version ready jobs channels pending_notices");
}

/// In a real browser, where there is one: Debian's name, or another's.
#[tokio::test]
async fn the_page_lists_every_open_incident() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let browser = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file());
    let Some(browser) = browser else {
        eprintln!("skipped: there is no Chromium");
        return;
    };
    let server = Server::local().await;
    let incidents: Vec<Change> = (1..=1250).map(|id| incident(id, "ads")).collect();
    server.store.commit("b", &incidents).await.unwrap();
    let profile = TempDir::new().unwrap();
    // What is on the page when its requests are answered; its clock does not wait for ours.
    let shown = tokio::process::Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("http://{}/", server.address))
        .kill_on_drop(true)
        .output();
    let shown = tokio::time::timeout(std::time::Duration::from_mins(2), shown).await;
    let shown = String::from_utf8(shown.unwrap().unwrap().stdout).unwrap();
    assert!(shown.contains("<title>(1250) Weir</title>"), "{}", shown.len());
    assert_eq!(shown.matches("href=\"#incident=").count(), 1250);
}

#[tokio::test]
async fn lists_page_and_filter() {
    let server = Server::local().await;
    let team = |id: u64| if id.is_multiple_of(50) { "ro" } else { "ads" };
    let incidents: Vec<Change> = (1..=1500).map(|id| incident(id, team(id))).collect();
    server.store.commit("b", &incidents).await.unwrap();
    let ids = |rows: Vec<Value>| -> Vec<u64> {
        rows.iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(server.rows("/api/v1/incidents").await.len(), 100);
    assert_eq!(server.rows("/api/v1/incidents?limit=1000").await.len(), 1000);
    assert_eq!(ids(server.rows("/api/v1/incidents?limit=2&after=3").await), [2, 1]);
    assert!(server.rows("/api/v1/incidents?state=resolved").await.is_empty());
    let ro = server.rows("/api/v1/incidents?matchers=team%3D%22ro%22&limit=25").await;
    assert_eq!(ids(ro.clone()).len(), 25);
    let last = ids(ro)[24];
    let rest =
        format!("/api/v1/incidents?matchers=team%3D%22ro%22&matchers=cluster%3Dprod&after={last}");
    assert_eq!(ids(server.rows(&rest).await), [250, 200, 150, 100, 50]);
    let both = rest.replace("&matchers=cluster%3D", "%2Ccluster%3D");
    assert_eq!(ids(server.rows(&both).await), [250, 200, 150, 100, 50], "{both}");

    assert_eq!(server.rows("/api/v1/jobs?state=failed").await.len(), 2);
    assert_eq!(server.rows("/api/v1/jobs?matchers=team%3Dro").await[0]["name"], "a");
    let second = &server.rows("/api/v1/jobs?limit=1&after=prod%2Fa").await[0];
    assert_ne!(second["name"], "a");
}

#[tokio::test]
async fn bad_parameters_say_the_way_out() {
    let server = Server::local().await;
    for (path, part) in [
        ("/api/v1/jobs?limit=0", "from 1 to 1000"),
        ("/api/v1/jobs?limit=1001", "from 1 to 1000"),
        ("/api/v1/jobs?limit=x", "from 1 to 1000"),
        ("/api/v1/jobs?state=HAPPY", "one of INITIALIZING"),
        ("/api/v1/jobs?matchers=team", "name=\"value\""),
        ("/api/v1/jobs?matchers=team%3D~%22(%22", "regular expression"),
        ("/api/v1/jobs?page=2", "this list takes limit, after"),
        ("/api/v1/incidents?state=closed", "one of open, acknowledged, resolved"),
        ("/api/v1/incidents?after=x", "not an id"),
        ("/api/v1/incidents/x", "ids are numbers"),
        ("/api/v1/notices?state=lost", "one of pending"),
        ("/api/v1/messages?state=lost", "one of due"),
        ("/api/v1/sources?state=lost", "one of up, down"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert!(answer.error().contains(part), "{path}: {}", answer.body);
    }
    assert_eq!(server.get("/api/v1/incidents/5").await.status, 404);
    assert_eq!(server.get("/nowhere").await.status, 404);
    assert_eq!(server.send("POST", "/api/v1/jobs", "").await.status, 405);
}

#[tokio::test]
async fn probes_tell_why() {
    let server = Server::local().await;
    assert_eq!(server.get("/-/healthy").await.status, 200);
    assert_eq!(server.get("/-/ready").await.status, 200);
    let error = Some("weir.db is full".to_owned());
    server.health.send_replace(Arc::new(Health { store_error: error, ..Health::default() }));
    let answer = server.get("/-/ready").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("weir.db is full"));
    assert!(server.get("/metrics").await.body.contains("weir_store_writable 0"));
    server.health.send_replace(Arc::default());
    server.view.send_replace(Arc::new(View::default()));
    assert!(server.get("/-/ready").await.body.contains("no first look"));
    let mut unseen = view();
    unseen.sources.insert("emr".into(), std::sync::Arc::default());
    server.view.send_replace(Arc::new(unseen));
    assert!(server.get("/-/ready").await.body.contains("no first look at emr"));
    assert_eq!(server.get("/-/healthy").await.status, 200);
}

#[tokio::test]
async fn hostile_names_come_out_as_data() {
    let server = Server::local().await;
    let jobs = server.rows("/api/v1/jobs").await;
    assert!(jobs.iter().any(|job| job["name"] == NASTY));
    let metrics = server.get("/metrics").await;
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"));
    assert_eq!(metrics.body.lines().filter(|l| l.starts_with("weir_job_state{")).count(), 3);
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'; script-src 'sha256-"));
    assert!(!page.head.contains("unsafe-inline"));
    assert!(!page.body.contains("onerror"), "the page itself carries no data");
    let bad = server.get("/api/v1/jobs?state=%3Cscript%3E").await;
    assert!(bad.head.contains("content-type: application/json"));
    assert!(bad.head.contains("x-content-type-options: nosniff"));
}

#[tokio::test]
async fn only_this_machine_is_answered_on_loopback() {
    let external_url = Some("https://weir.example.com/".to_owned());
    let server = Server::start(WebConfig { external_url, ..WebConfig::default() }).await;
    for (host, status) in [
        ("localhost:9321", 200),
        ("127.0.0.1", 200),
        ("[::1]:9321", 200),
        ("weir.example.com", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ] {
        for path in ["/", "/api/v1/jobs", "/metrics"] {
            let answer = server.send("GET", path, &format!("Host: {host}\r\n")).await;
            assert_eq!(answer.status, status, "{host} {path}");
        }
    }
    let absolute = "GET http://evil.example/api/v1/jobs HTTP/1.1\r\nHost: localhost\r\n\
                    Connection: close\r\n\r\n";
    assert_eq!(server.raw(absolute).await.status, 403);
}

#[tokio::test]
async fn off_loopback_a_token_is_needed() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "file-token-0123456789\n").unwrap();
    let token = |name: &str, value: &str| TokenConfig {
        name: name.into(),
        token: Some(value.to_owned().into()),
        token_file: None,
        scope: weir::web::Scope::Read,
        matchers: Vec::new(),
    };
    let from_file =
        TokenConfig { token: None, token_file: Some(file.clone()), ..token("file", "unused") };
    let config = WebConfig {
        listen: "0.0.0.0:9321".parse().unwrap(),
        tokens: vec![token("ops", "ops-token-0123456789"), from_file],
        ..WebConfig::default()
    };
    let server = Server::start(config.clone()).await;
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    for path in ["/", "/metrics", "/api/v1/jobs", "/nowhere", "//-/healthy", "/-/healthy/"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.head.contains("www-authenticate: bearer"));
        assert!(answer.error().contains("web.tokens"));
    }
    for (header, status) in [
        ("Bearer ops-token-0123456789", 200),
        ("bearer file-token-0123456789", 200),
        ("Basic eDpvcHMtdG9rZW4tMDEyMzQ1Njc4OQ==", 200),
        ("Bearer ops-token-012345678", 401),
        ("Bearer ", 401),
        ("Basic !!!", 401),
        ("ops-token-0123456789", 401),
    ] {
        let header = format!("Authorization: {header}\r\n");
        assert_eq!(server.send("GET", "/api/v1/jobs", &header).await.status, status, "{header}");
    }
    let read_only = "Authorization: Bearer ops-token-0123456789\r\n";
    let answer = server.send("POST", "/api/v1/jobs", read_only).await;
    assert_eq!(answer.status, 403);
    assert!(answer.error().contains("access: operate"));
    let answer = server.send("GET", "/api/v1/history", read_only).await;
    assert_eq!(answer.status, 403, "the texts of messages are in it");
    assert!(answer.error().contains("access: operate"));

    // Taken away, or emptied, it opens nothing; a new one does at once.
    let by_file = async |value: &str| {
        let header = format!("Authorization: Bearer {value}\r\n");
        server.send("GET", "/api/v1/jobs", &header).await.status
    };
    std::fs::write(&file, "").unwrap();
    assert_eq!(by_file("file-token-0123456789").await, 401);
    std::fs::write(&file, "other-token-0123456789\n").unwrap();
    assert_eq!(by_file("file-token-0123456789").await, 401);
    assert_eq!(by_file("other-token-0123456789").await, 200);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(by_file("other-token-0123456789").await, 401);
    std::fs::write(&file, "file-token-0123456789\n").unwrap();
    assert_eq!(by_file("file-token-0123456789").await, 200);

    let open = Server::start(WebConfig { metrics_open: true, ..config.clone() }).await;
    assert_eq!(open.get("/metrics").await.status, 200);
    assert_eq!(open.get("/api/v1/jobs").await.status, 401);

    let (_, view) = watch::channel(Arc::default());
    let (_, health) = watch::channel(Arc::default());
    let asker = Asker::unheard();
    let (store, commander) = (Arc::clone(&server.store), Commander::unheard());
    let web = Web { view, store, health, asker, commander, links: None, reload: None };
    let error = weir::web::router(&WebConfig { tokens: Vec::new(), ..config }, web).unwrap_err();
    assert!(error.to_string().contains("web.tokens is empty"), "{error}");
}

#[tokio::test]
async fn commands_are_for_those_who_may_operate_and_for_no_other_site() {
    let server = Server::local().await;
    let order = |path: &str, headers: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    };
    let json = "Content-Type: application/json\r\n";
    let foreign = format!("{json}Sec-Fetch-Site: cross-site\r\n");
    let ack = "/api/v1/incidents/1/ack";
    for (path, headers, body, status, said) in [
        (ack, json, "{}", 503, "weir is stopping"),
        ("/api/v1/jobs/prod%2Fa/retire", json, "{}", 503, "weir is stopping"),
        (ack, json, "{\"who\":1}", 400, "unknown field `who`"),
        (ack, "", "{}", 415, "application/json"),
        (ack, &foreign, "{}", 403, "another site"),
        ("/api/v1/incidents/x/ack", json, "{}", 400, "is not an incident's id"),
    ] {
        let answer = server.raw(&order(path, headers, body)).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert!(answer.error().contains(said), "{}", answer.body);
    }
    assert_eq!(server.get(ack).await.status, 405);
    let health = Health { store_error: Some("disk full".into()), ..Health::default() };
    server.health.send_replace(Arc::new(health));
    let answer = server.raw(&order(ack, json, "{}")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.error().contains("disk full"));

    let token = |name: &str, scope| TokenConfig {
        name: name.into(),
        token: Some(format!("{name}-token-0123456789").into()),
        token_file: None,
        scope,
        matchers: Vec::new(),
    };
    let tokens =
        vec![token("look", weir::web::Scope::Read), token("act", weir::web::Scope::Operate)];
    let listen = "0.0.0.0:9321".parse().unwrap();
    let server = Server::start(WebConfig { listen, tokens, ..WebConfig::default() }).await;
    for (who, status) in [("look", 403), ("act", 503), ("nobody", 401)] {
        let headers = format!("{json}Authorization: Bearer {who}-token-0123456789\r\n");
        let answer = server.raw(&order(ack, &headers, "{}")).await;
        assert_eq!(answer.status, status, "{who}: {}", answer.body);
        assert!(!answer.head.contains("basic realm"), "a password is not taken here");
    }
}

#[tokio::test]
async fn a_token_for_alerts_opens_nothing_else() {
    use base64::Engine as _;
    let token = |name: &str, scope| TokenConfig {
        name: name.into(),
        token: Some(format!("{name}-token-0123456789").into()),
        token_file: None,
        scope,
        matchers: Vec::new(),
    };
    let tokens = vec![
        token("look", weir::web::Scope::Read),
        token("prom", weir::web::Scope::Alert),
        token("act", weir::web::Scope::Operate),
    ];
    let listen = "0.0.0.0:9321".parse().unwrap();
    let server = Server::start(WebConfig { listen, tokens, ..WebConfig::default() }).await;
    let body = r#"[{"labels":{"alertname":"Up"}}]"#;
    let basic = |who: &str| {
        let text = format!("x:{who}-token-0123456789");
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(text))
    };
    let bearer = |who: &str| format!("Bearer {who}-token-0123456789");
    let (alerts, jobs, ack) = ("/api/v2/alerts", "/api/v1/jobs", "/api/v1/incidents/1/ack");
    // 503: let in, and nobody is there to obey.
    for (method, path, auth, status) in [
        ("POST", alerts, bearer("prom"), 503),
        ("POST", alerts, bearer("act"), 503),
        ("POST", alerts, bearer("look"), 403),
        ("POST", alerts, bearer("nobody"), 401),
        // A password is what some senders can give; a browser has only that of who may look.
        ("POST", alerts, basic("prom"), 503),
        ("POST", alerts, basic("act"), 401),
        ("GET", jobs, bearer("look"), 200),
        ("GET", jobs, bearer("prom"), 403),
        ("GET", jobs, basic("prom"), 403),
        ("GET", alerts, bearer("prom"), 403),
        ("GET", "/", bearer("prom"), 403),
        ("POST", ack, bearer("prom"), 403),
        ("POST", "/-/reload", bearer("prom"), 403),
    ] {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: weir\r\nConnection: close\r\nAuthorization: {auth}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = server.raw(&request).await;
        assert_eq!(answer.status, status, "{method} {path} {auth}: {}", answer.body);
    }
}

#[tokio::test]
async fn it_stops_when_told() {
    let server = Server::local().await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
    drop(idle);
}
