//! Whoever reads a message can say "I have it" by its link, once; what only fetches it changes
//! nothing.

use anyhow::{Context as _, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::story::{self, SOON};
use crate::testbed::time;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::{PORT, Weir};

struct Scene {
    fleet: Fleet,
    hook: Webhook,
    weir: Weir,
    client: reqwest::Client,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn open(web: &str) -> Result<Scene> {
        Scene::with(web, "").await
    }

    async fn with(web: &str, more: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(1, 2, Version::V1_20)).await?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
web: {{ listen: "127.0.0.1:{PORT}", {web} }}
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
route: {{ receiver: team, group_by: ['...'], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
{}
{}"#,
            hook.url(),
            more.replace("DIR", &dir.path().display().to_string()),
            story::sources(&fleet, 1)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        #[expect(clippy::disallowed_methods, reason = "as any reader of a message")]
        let client = reqwest::Client::new();
        Ok(Scene { fleet, hook, weir, client, dir })
    }

    /// A job dies; what the hook was told of it.
    async fn told(&self, job: usize) -> Result<Value> {
        self.fleet.kill_job(0, job, &Failure::new("java.io.IOException", "the broker is gone"));
        let name = format!("job-{job}");
        time::wait_for(&format!("{name} is told"), SOON, || async {
            let bodies = self.hook.accepted();
            let alerts = bodies
                .iter()
                .flat_map(|r| r.body()["alerts"].as_array().cloned().unwrap_or_default());
            let mut alerts = alerts.collect::<Vec<Value>>().into_iter();
            Ok(alerts.find(|alert| alert["labels"]["job_name"] == name.as_str()))
        })
        .await
        .with_context(|| self.weir.log_tail())
    }

    async fn ask(&self, method: Method, path: &str, form: &str) -> Result<(StatusCode, String)> {
        let request = self.client.request(method, self.weir.url(path)).body(form.to_owned());
        let reply = request.header("sec-fetch-site", "same-origin").send().await?;
        let header = |name: &str| reply.headers().get(name).and_then(|v| v.to_str().ok());
        ensure!(header("referrer-policy") == Some("no-referrer"));
        ensure!(header("cache-control") == Some("no-store"));
        ensure!(header("x-robots-tag").is_some_and(|v| v.contains("noindex")));
        Ok((reply.status(), reply.text().await?))
    }

    async fn incident(&self, job: usize) -> Result<Value> {
        let all = story::list(&self.weir, &format!("incidents?job=c0%2Fjob-{job}")).await?;
        all.first().cloned().context("no incident")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_acknowledges_once_and_only_when_it_is_posted() -> Result<()> {
    let mut scene = Scene::open("external_url: \"https://weir.example.com/\"").await?;
    let alert = scene.told(0).await?;
    let link = alert["weir"]["acknowledge_url"].as_str().context("no link")?.to_owned();
    let path = link.strip_prefix("https://weir.example.com").context("elsewhere")?.to_owned();
    ensure!(path.starts_with("/l/"), "{path}");

    for method in [Method::GET, Method::HEAD, Method::GET] {
        let (status, page) = scene.ask(method.clone(), &path, "").await?;
        ensure!(status == StatusCode::OK, "{status} {page}");
        ensure!(method == Method::HEAD || page.contains("method=\"post\""), "{page}");
        ensure!(method == Method::HEAD || page.contains("job-0 · JobFailed · #1"), "{page}");
    }
    // A page of another site cannot post it in somebody's browser.
    let url = scene.weir.url(&path);
    let foreign = scene.client.post(url).header("sec-fetch-site", "cross-site").send().await?;
    ensure!(foreign.status() == StatusCode::FORBIDDEN, "{}", foreign.status());
    // Of what was made elsewhere, nothing is known; and it opens nothing else.
    let (mut wrong, last) = (path.clone(), path.chars().last().context("empty")?);
    wrong.pop();
    wrong.push(if last == '0' { '1' } else { '0' });
    for method in [Method::GET, Method::POST] {
        let (status, page) = scene.ask(method, &wrong, "").await?;
        ensure!(status == StatusCode::NOT_FOUND, "{status} {page}");
    }
    ensure!(scene.incident(0).await?["state"] == "open");

    scene.weir.kill9().await?;
    scene.weir.resume().await?;
    story::ready(&scene.weir).await?;
    let (status, page) = scene.ask(Method::POST, &path, "name=%E5%BC%A0%E4%B8%89").await?;
    ensure!(status == StatusCode::OK && page.contains("张三"), "{status} {page}");
    let known = scene.incident(0).await?;
    ensure!(known["state"] == "acknowledged", "{known:#}");
    ensure!(known["acknowledged"]["by"] == "张三 (link for team)", "{known:#}");
    let (status, page) = scene.ask(Method::POST, &path, "name=bob").await?;
    ensure!(status == StatusCode::CONFLICT, "{status} {page}");
    ensure!(page.contains("Acknowledged by 张三 (link for team) at 20"), "{page}");
    let (_, page) = scene.ask(Method::GET, &path, "").await?;
    ensure!(!page.contains("method=\"post\""), "{page}");

    // Given back, it has been used all the same.
    let (code, out, err) = ask(scene.dir.path(), &["unack", "1", "--by", "ann"]).await?;
    ensure!(code == 0, "{out} {err}");
    let (status, page) = scene.ask(Method::POST, &path, "name=bob").await?;
    ensure!(status == StatusCode::CONFLICT && page.contains("was used"), "{status} {page}");
    ensure!(scene.incident(0).await?["state"] == "open");

    let alert = scene.told(1).await?;
    let other = alert["weir"]["acknowledge_url"].as_str().context("no link")?.to_owned();
    let other = other.replace("https://weir.example.com", "");
    scene.fleet.submit_again(0, 1);
    story::until(&scene.weir, "it is over", "incidents?job=c0%2Fjob-1", |all| {
        all.iter().all(|i| i["state"] == "resolved")
    })
    .await?;
    let (status, page) = scene.ask(Method::POST, &other, "").await?;
    ensure!(status == StatusCode::CONFLICT && page.contains("over already"), "{status} {page}");

    let log = scene.weir.log();
    let code = path.rsplit('-').next().context("no code")?;
    ensure!(!log.contains(code) && !log.contains("/l/"), "{log}");
    scene.weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_address_or_by_choice_there_are_no_links() -> Result<()> {
    let scene = Scene::open("external_url: \"https://weir.example.com/\", links: false").await?;
    let alert = scene.told(0).await?;
    ensure!(alert["weir"].get("acknowledge_url").is_none(), "{alert:#}");
    let (status, page) = scene.ask(Method::POST, "/l/1-1-0-00", "").await?;
    ensure!(status == StatusCode::NOT_FOUND, "{status} {page}");
    scene.weir.stop().await
}

/// Jobs without a checkpoint: what is started here is a program that only notes it.
const APPROVE: &str = r#"
restarts:
  - name: all
    matchers: ['cluster="c0"']
    mode: approve
    without_checkpoint: start_empty
    driver: { command: { argv: [touch, "DIR/{{job_name}}.started", "{{checkpoint_args}}"], checkpoint_args: ["/-/{{checkpoint}}"] } }
"#;

impl Scene {
    async fn restart(&self, job: usize) -> Result<Value> {
        let path = format!("restarts?job=c0%2Fjob-{job}");
        let all = story::until(&self.weir, "there is a restart", &path, |all| !all.is_empty());
        all.await?.first().cloned().context("no restart")
    }

    async fn approve_path(&self, job: usize) -> Result<String> {
        let alert = self.told(job).await?;
        let link = alert["weir"]["approve_url"].as_str().with_context(|| format!("{alert:#}"))?;
        ensure!(link != alert["weir"]["acknowledge_url"], "{alert:#}");
        Ok(link.replace("https://weir.example.com", ""))
    }

    fn was_started(&self, job: usize) -> bool {
        self.dir.path().join(format!("job-{job}.started")).exists()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_approved_or_declined_by_its_link_and_only_when_that_is_posted() -> Result<()>
{
    let mut scene = Scene::with("external_url: \"https://weir.example.com/\"", APPROVE).await?;
    let path = scene.approve_path(0).await?;
    ensure!(path.starts_with("/l/r1-"), "{path}");
    for method in [Method::GET, Method::HEAD] {
        let (status, page) = scene.ask(method.clone(), &path, "").await?;
        ensure!(status == StatusCode::OK, "{status} {page}");
        let said = ["c0/job-0", "value=\"approve\"", "value=\"decline\"", "waits for approval"];
        ensure!(method == Method::HEAD || said.iter().all(|said| page.contains(said)), "{page}");
    }
    let (status, page) = scene.ask(Method::POST, &path, "name=bob").await?;
    ensure!(status == StatusCode::BAD_REQUEST && page.contains("Send "), "{status} {page}");
    // The incident's own number behind the same code is nothing.
    let (status, page) =
        scene.ask(Method::POST, &path.replace("/l/r", "/l/"), "do=approve").await?;
    ensure!(status == StatusCode::NOT_FOUND, "{status} {page}");
    ensure!(scene.restart(0).await?["state"] == "approval" && !scene.was_started(0));

    scene.weir.kill9().await?;
    scene.weir.resume().await?;
    story::ready(&scene.weir).await?;
    let (status, page) = scene.ask(Method::POST, &path, "name=ann&do=approve").await?;
    ensure!(status == StatusCode::OK && page.contains("Approved by ann"), "{status} {page}");
    let started = || async { Ok(scene.was_started(0).then_some(())) };
    let started = time::wait_for("it is started", SOON, started).await;
    started.with_context(|| scene.weir.log_tail())?;
    for form in ["do=approve", "do=decline"] {
        let (status, page) = scene.ask(Method::POST, &path, form).await?;
        ensure!(status == StatusCode::CONFLICT, "{status} {page}");
    }
    let number = scene.incident(0).await?["id"].clone();
    let events = story::list(&scene.weir, &format!("incidents/{number}/events")).await?;
    let said: Vec<&str> = events.iter().filter_map(|event| event["what"].as_str()).collect();
    ensure!(said.contains(&"restart 1: approved by ann (link for team)"), "{said:#?}");

    // Declined by its link, and one by the API: neither is started.
    let path = scene.approve_path(1).await?;
    let (status, page) = scene.ask(Method::POST, &path, "do=decline").await?;
    ensure!(status == StatusCode::OK && page.contains("Declined by link for team"), "{page}");
    let declined = scene.restart(1).await?;
    ensure!(declined["state"] == "dropped" && !scene.was_started(1), "{declined:#}");
    let by = scene.weir.url(&format!("/api/v1/restarts/{}/approve", declined["id"]));
    let late = scene.client.post(by).send().await?;
    ensure!(late.status() == StatusCode::CONFLICT, "{}", late.status());
    scene.weir.stop().await
}
