//! Tokens with matchers on a running Weir: who has one sees and changes its own, and nothing else.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const ALL: &str = "all-token-0123456789";
const ADS: &str = "ads-token-0123456789";
const LOOK: &str = "look-token-0123456789";

struct Scene {
    weir: Weir,
    fleet: Fleet,
    client: reqwest::Client,
    dir: tempfile::TempDir,
    _hook: Webhook,
}

impl Scene {
    /// Three jobs: job-0 and job-2 are of team ads, job-1 is of team ro.
    async fn open() -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V2_2)).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        for (name, token) in [("all", ALL), ("ads", ADS), ("look", LOOK)] {
            std::fs::write(dir.path().join(name), token)?;
        }
        let config = format!(
            r#"
web:
  listen: "0.0.0.0:%PORT%"
  tokens:
    - {{ name: all, token_file: all, access: operate }}
    - {{ name: ads, token_file: ads, access: operate, matchers: ['team="ads"'] }}
    - {{ name: look, token_file: look, matchers: ['team="ads"'] }}
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
job_labels:
  - {{ labels: {{ team: ads }} }}
  - {{ matchers: ['job_name="job-1"'], labels: {{ team: ro }} }}
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
storm: {{ incidents: 1000, within: 1s }}
route: {{ receiver: team, group_by: ['...'], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
{}"#,
            hook.url(),
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        #[expect(clippy::disallowed_methods, reason = "as any client of the API")]
        let client = reqwest::Client::new();
        Ok(Scene { weir, fleet, client, dir, _hook: hook })
    }

    async fn send(
        &self,
        method: reqwest::Method,
        token: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value)> {
        let request = self.client.request(method, self.weir.url(path)).bearer_auth(token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let reply = request.send().await?;
        let (status, text) = (reply.status().as_u16(), reply.text().await?);
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    async fn get(&self, token: &str, path: &str) -> Result<(u16, Value)> {
        self.send(reqwest::Method::GET, token, path, None).await
    }

    async fn rows(&self, token: &str, what: &str) -> Result<Vec<Value>> {
        let (status, rows) = self.get(token, &format!("/api/v1/{what}")).await?;
        ensure!(status == 200, "{what}: {status} {rows}");
        rows.as_array().cloned().context("not a list")
    }

    async fn post(&self, token: &str, what: &str, body: Value) -> Result<(u16, Value)> {
        self.send(reqwest::Method::POST, token, &format!("/api/v1/{what}"), Some(body)).await
    }

    /// Both messages have gone; the numbers of the incidents of job-0 and job-1.
    async fn told(&self) -> Result<(u64, u64)> {
        for job in [0, 1] {
            self.fleet.kill_job(0, job, &Failure::new("java.io.IOException", "the disk is full"));
        }
        time::wait_for("two messages", SOON, || async {
            let sent = self.rows(ALL, "messages?state=sent").await?;
            Ok((sent.len() == 2).then_some(()))
        })
        .await
        .with_context(|| self.weir.log_tail())?;
        let incidents = self.rows(ALL, "incidents").await?;
        let of = |key: &str| {
            let one = incidents.iter().find(|i| i["job"] == key);
            one.and_then(|i| i["id"].as_u64()).context("no incident")
        };
        Ok((of("c0/job-0")?, of("c0/job-1")?))
    }
}

fn said(value: &Value) -> &str {
    value["error"].as_str().or(value["said"].as_str()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_matchers_opens_its_own_jobs_and_no_more() -> Result<()> {
    let scene = Scene::open().await?;
    let (own, other) = scene.told().await?;
    for token in [ADS, LOOK] {
        let names = |rows: Vec<Value>, key: &str| -> Vec<String> {
            rows.iter().map(|row| row[key].as_str().unwrap_or_default().to_owned()).collect()
        };
        let jobs = names(scene.rows(token, "jobs").await?, "key");
        ensure!(jobs == ["c0/job-0", "c0/job-2"], "{jobs:?}");
        let incidents = names(scene.rows(token, "incidents?limit=1").await?, "job");
        ensure!(incidents == ["c0/job-0"], "{incidents:?}");
        let notices = names(scene.rows(token, "notices").await?, "subject");
        ensure!(notices == ["job:c0/job-0"], "{notices:?}");
        let messages = scene.rows(token, "messages").await?;
        ensure!(messages.len() == 1, "{messages:#?}");
        ensure!(
            messages[0]["title"].as_str().is_some_and(|t| t.contains("job-0")),
            "{messages:#?}"
        );
        let sources = scene.rows(token, "sources").await?;
        ensure!(sources.len() == 1 && sources[0]["jobs"] == 2, "{sources:#?}");
        let (_, status) = scene.get(token, "/api/v1/status").await?;
        ensure!(status["jobs"] == 2 && status["pending_notices"].is_null(), "{status:#}");
        ensure!(status["channels"] == json!([]), "{status:#}");
        for (path, expected) in [
            ("/".to_owned(), 200),
            (format!("/api/v1/incidents/{own}"), 200),
            (format!("/api/v1/incidents/{own}/events"), 200),
            (format!("/api/v1/incidents/{own}/record"), 200),
            (format!("/api/v1/incidents/{other}"), 404),
            (format!("/api/v1/incidents/{other}/events"), 404),
            (format!("/api/v1/incidents/{other}/record"), 404),
            ("/api/v1/explain?job=job-0".to_owned(), 200),
            ("/api/v1/explain?job=job-1".to_owned(), 404),
            ("/api/v1/explain?job=c0%2Fjob-1".to_owned(), 404),
            ("/api/v1/explain".to_owned(), 403),
            ("/api/v1/explain?source=c0".to_owned(), 403),
            ("/api/v1/routes?job=job-2".to_owned(), 200),
            ("/api/v1/routes?labels=team=ro".to_owned(), 403),
            ("/api/v1/notices/why?job=job-2".to_owned(), 200),
            ("/api/v1/notices/why?job=job-1".to_owned(), 404),
            ("/api/v1/notices/why".to_owned(), 403),
            ("/api/v1/report".to_owned(), 403),
            ("/api/v1/rules".to_owned(), 403),
            ("/api/v1/history".to_owned(), 403),
            ("/metrics".to_owned(), 403),
        ] {
            let (status, body) = scene.get(token, &path).await?;
            ensure!(status == expected, "{path}: {status} {body}");
        }
    }
    // It is not even said that there is another one.
    let unknown = scene.get(ADS, "/api/v1/incidents/999").await?.1;
    let hidden = scene.get(ADS, &format!("/api/v1/incidents/{other}")).await?.1;
    ensure!(said(&hidden) == said(&unknown).replace("999", &other.to_string()), "{hidden}");
    let refused = scene.get(ADS, "/metrics").await?.1;
    ensure!(said(&refused).contains("for team=\"ads\" only"), "{refused}");
    let (status, body) = scene.get(ALL, "/metrics").await?;
    ensure!(status == 200 && body.as_str().is_some_and(|t| t.contains("job-1")), "{status}");
    let (status, body) = scene.send(reqwest::Method::POST, ADS, "/-/reload", None).await?;
    ensure!(status == 403, "{status} {body}");
    // The command line is such a client, too.
    let args = ["jobs", "--token-file", "ads"];
    let (code, out, err) = ask(scene.dir.path(), &args).await?;
    ensure!(code == 0 && out.contains("job-2") && !out.contains("job-1"), "{out} {err}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_matchers_changes_its_own_and_no_more() -> Result<()> {
    let scene = Scene::open().await?;
    let (own, other) = scene.told().await?;
    for what in ["ack", "close", "unack"] {
        let (status, done) =
            scene.post(ADS, &format!("incidents/{other}/{what}"), json!({})).await?;
        ensure!(status == 404, "{what}: {status} {done}");
    }
    let (status, done) = scene.post(ADS, "jobs/job-1/retire", json!({})).await?;
    ensure!(status == 404 && !said(&done).contains("c0/job-1"), "{status} {done}");
    let (_, known) = scene.get(ALL, &format!("/api/v1/incidents/{other}")).await?;
    ensure!(known["state"] == "open" && known["acknowledged"].is_null(), "{known:#}");
    let (status, done) = scene.post(LOOK, &format!("incidents/{own}/ack"), json!({})).await?;
    ensure!(status == 403 && said(&done).contains("may only read"), "{status} {done}");
    let (status, done) = scene.post(ADS, &format!("incidents/{own}/ack"), json!({})).await?;
    ensure!(status == 200, "{status} {done}");
    let (_, known) = scene.get(ALL, &format!("/api/v1/incidents/{own}")).await?;
    ensure!(known["acknowledged"]["by"] == "ads", "{known:#}");

    // What would hit all hits its own.
    let wish = json!({ "matchers": ["cluster=\"c0\""], "duration_seconds": 3600 });
    let (status, seen) = scene.post(ADS, "silences?preview=true", wish.clone()).await?;
    ensure!(status == 200 && seen["hits"]["jobs"] == json!(["c0/job-0", "c0/job-2"]), "{seen:#}");
    let (status, made) = scene.post(ADS, "silences", wish.clone()).await?;
    ensure!(status == 200 && said(&made).contains("only for team=\"ads\""), "{status} {made}");
    let (_, hidden) = scene.get(ALL, &format!("/api/v1/incidents/{own}")).await?;
    ensure!(hidden["silenced_by"] == 1, "{hidden:#}");
    let (_, heard) = scene.get(ALL, &format!("/api/v1/incidents/{other}")).await?;
    ensure!(heard["silenced_by"].is_null(), "{heard:#}");
    let of_other = json!({ "job": "job-1", "duration_seconds": 3600 });
    let (status, done) = scene.post(ADS, "silences", of_other).await?;
    ensure!(status == 404, "{status} {done}");

    // One of all, and one of a job of its own, by somebody who may silence more.
    scene.post(ALL, "silences", wish).await?;
    let of_own = json!({ "job": "job-0", "duration_seconds": 3600 });
    scene.post(ALL, "silences", of_own).await?;
    let listed = scene.rows(ADS, "silences").await?;
    let ids: Vec<&Value> = listed.iter().map(|silence| &silence["id"]).collect();
    ensure!(ids == [&json!(3), &json!(1)], "{listed:#?}");
    for (number, expected) in [(2, 404), (3, 403), (9, 404), (1, 200)] {
        let path = format!("/api/v1/silences/{number}");
        let (status, done) = scene.send(reqwest::Method::DELETE, ADS, &path, None).await?;
        ensure!(status == expected, "#{number}: {status} {done}");
    }
    let (status, done) = scene.post(ADS, "jobs/job-0/retire", json!({})).await?;
    ensure!(status == 200 && done["job"] == "c0/job-0", "{status} {done}");
    scene.weir.stop().await
}
