//! Alerts from outside, by those who send them: the real `amtool`, beside the real Alertmanager that
//! it is made for, and a real Prometheus.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::bad_cli::ask;
use crate::testbed::alertmanager::{self, Alertmanager};
use crate::testbed::fleet::{Fleet, FleetOptions, Version};
use crate::testbed::prometheus::{self, Prometheus};
use crate::testbed::webhook::{Received, Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{http, story, time, tools};

const JSON: &str = "application/json";

/// Tells at once, and looks at its one Flink hardly ever.
fn config(hook: &Webhook, fleet: &Fleet, inbound: &str) -> String {
    format!(
        r#"
poll: {{ interval: 1m, timeout: 5s }}
rule_files: ["rules.yaml"]
history: {{ enabled: false }}
inbound: {inbound}
incidents: {{ resolve_after: 1s }}
inhibit_rules:
  - {{ source_matchers: ['alertname="HostDown"'], target_matchers: ['alertname="DiskFull"'], equal: [instance] }}
route:
  receiver: team
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  routes:
    - {{ matchers: ['severity="page"'], receiver: pager }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{url}" }}
  - name: pager
    channels:
      - webhook: {{ url: "{url}" }}
{}"#,
        story::sources(fleet, 1),
        url = hook.url(),
    )
}

/// (status, alertname, receiver) of every alert a webhook heard, in order.
fn heard(hook: &Webhook) -> Vec<(String, String, String)> {
    let of = |received: &Received| {
        let body = received.body();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
        let alert = |a: &Value| {
            (text(&a["status"]), text(&a["labels"]["alertname"]), text(&body["receiver"]))
        };
        alerts.iter().map(alert).collect::<Vec<_>>()
    };
    hook.accepted().iter().flat_map(of).collect()
}

fn count(hook: &Webhook, status: &str, name: &str) -> usize {
    heard(hook).iter().filter(|(s, n, _)| s == status && n == name).count()
}

async fn until_heard(hook: &Webhook, weir: &Weir, status: &str, name: &str) -> Result<()> {
    let what = format!("{name} {status}");
    let told = time::wait_for(&what, story::SOON, || async {
        Ok((count(hook, status, name) > 0).then_some(()))
    });
    told.await.with_context(|| format!("{:?}\n{}", heard(hook), weir.log_tail()))
}

async fn post(base: &str, kind: &str, body: &str) -> Result<(u16, String)> {
    let request = http::client().post(format!("{base}/api/v2/alerts")).header("content-type", kind);
    let reply = request.body(body.to_owned()).send().await?;
    Ok((reply.status().as_u16(), reply.text().await?))
}

/// `amtool alert add …` against one that speaks Alertmanager's API.
async fn add(amtool: &Path, base: &str, words: &[&str]) -> Result<()> {
    let url = format!("--alertmanager.url={base}");
    let mut args = vec![url.as_str(), "alert", "add"];
    args.extend(words);
    tools::run(&amtool.display().to_string(), &args).await?;
    Ok(())
}

async fn incident(weir: &Weir, rule: &str) -> Result<Value> {
    let all = story::list(weir, "incidents").await?;
    let found = all.iter().find(|i| i["rule"] == rule).cloned();
    found.with_context(|| format!("no incident of {rule}: {all:#?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amtool_adds_alerts_as_to_an_alertmanager() -> Result<()> {
    if tools::require(&["apt-get", "dpkg-deb"]).is_err() {
        tools::note("no Debian here: the real amtool posted nothing");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let unpacked = alertmanager::unpacked().await?;
    let amtool = alertmanager::amtool(&unpacked);
    let am = Alertmanager::start(&unpacked, "route: { receiver: x }\nreceivers: [{ name: x }]\n");
    let am = am.await?;
    let fleet = Fleet::start(FleetOptions::of(1, 1, Version::V1_20)).await?;
    let inbound = "{ resolve_timeout: 3m, max_alerts: 4 }";
    let mut weir =
        Weir::start(crate::binary(), dir.path(), &config(&hook, &fleet, inbound)).await?;
    story::ready(&weir).await?;
    let base = weir.url("");

    // Its identity is Alertmanager's.
    let disk =
        ["DiskFull", "severity=critical", "instance=db-1", "--annotation=summary=92 % of /data"];
    for to in [am.url(), base.as_str()] {
        add(&amtool, to, &disk).await?;
    }
    until_heard(&hook, &weir, "firing", "DiskFull").await?;
    let theirs: Value =
        http::client().get(format!("{}/api/v2/alerts", am.url())).send().await?.json().await?;
    let ours = incident(&weir, "DiskFull").await?;
    let print = theirs[0]["fingerprint"].as_str().context("no fingerprint")?;
    ensure!(ours["subject"] == format!("external:{print}"), "{ours:#}\n{theirs:#}");
    ensure!(ours["title"] == "DiskFull db-1: 92 % of /data", "{ours:#}");
    ensure!(ours["labels"] == theirs[0]["labels"], "{ours:#}\n{theirs:#}");

    // The same again is no news and writes nothing, also after kill -9.
    let before = weir.commits().await?;
    for _ in 0..20 {
        add(&amtool, &base, &disk).await?;
    }
    let after = weir.commits().await?;
    ensure!(after <= before + 2, "20 posts of what is known: {} commits", after - before);
    weir.kill9().await?;
    weir.resume().await?;
    for _ in 0..3 {
        add(&amtool, &base, &disk).await?;
    }

    // Inhibited, silenced, found by its job, routed by its own word.
    add(&amtool, &base, &["HostDown", "instance=db-2", "severity=critical"]).await?;
    until_heard(&hook, &weir, "firing", "HostDown").await?;
    add(&amtool, &base, &["DiskFull", "instance=db-2", "severity=warning"]).await?;
    let muted = story::until(&weir, "the inhibition", "incidents", |all| {
        all.iter().any(|i| i["labels"]["instance"] == "db-2" && !i["inhibited_by"].is_null())
    });
    muted.await?;
    let names_job = ["Late", "severity=page", "job_name=job-0", "cluster=c0"];
    add(&amtool, &base, &names_job).await?;
    until_heard(&hook, &weir, "firing", "Late").await?;
    ensure!(heard(&hook).iter().any(|(_, name, to)| name == "Late" && to == "pager"));
    let late = incident(&weir, "Late").await?;
    ensure!(late["severity"] == "warning" && late["labels"]["severity"] == "page", "{late:#}");
    let key = late["job"].as_str().context("no job")?.to_owned();
    let by_job = story::list(&weir, &format!("incidents?job={key}")).await?;
    ensure!(by_job.len() == 1 && by_job.iter().all(|i| i["rule"] == "Late"), "{by_job:#?}");
    for (arguments, said) in [
        (vec!["notices", "--job", "job-0"], "Late"),
        (vec!["report", "--since", "1h"], "Late"),
        (vec!["explain"], ""),
        (
            vec!["silence", "add", "instance=\"db-1\"", "--for", "1h", "--comment", "known"],
            "1 open incident",
        ),
    ] {
        let mut words = arguments.clone();
        words.extend(["--url", &base]);
        let (code, out, err) = ask(dir.path(), &words).await?;
        ensure!(code == 0 && out.contains(said), "{arguments:?}: {code}\n{out}\n{err}");
    }

    // There is room for four.
    let (status, text) = post(&base, JSON, r#"[{"labels":{"alertname":"Fifth"}}]"#).await?;
    ensure!(status == 429 && text.contains("inbound.max_alerts"), "{status} {text}");
    let metrics = weir.text("/metrics").await?;
    for line in [
        "weir_inbound_alerts_total{outcome=\"refused\"} 1\n",
        "weir_incidents{aspect=\"external\",severity=\"critical\",state=\"open\"} 2\n",
    ] {
        ensure!(metrics.contains(line), "no {line} in {metrics}");
    }

    // Its end goes to who was told, and nobody else.
    let ended = "--end=2026-01-01T00:00:00Z";
    add(&amtool, &base, &["Late", "severity=page", "job_name=job-0", "cluster=c0", ended]).await?;
    until_heard(&hook, &weir, "resolved", "Late").await?;
    ensure!(count(&hook, "firing", "DiskFull") == 1, "{:?}", heard(&hook));
    ensure!(count(&hook, "firing", "Late") == 1 && count(&hook, "resolved", "Late") == 1);
    ensure!(
        heard(&hook)
            .iter()
            .all(|(status, name, to)| name != "Late" || (to == "pager") && !status.is_empty())
    );
    let id = late["id"].as_u64().context("no id")?;
    let timeline = weir.get(&format!("/api/v1/incidents/{id}")).await?["timeline"].to_string();
    ensure!(timeline.contains("ended by its sender"), "{timeline}");
    weir.stop().await?;
    am.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_alertmanager_refuses_is_refused() -> Result<()> {
    if tools::require(&["apt-get", "dpkg-deb"]).is_err() {
        tools::note("no Debian here: nothing was compared with a real Alertmanager");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let unpacked = alertmanager::unpacked().await?;
    let am = Alertmanager::start(&unpacked, "route: { receiver: x }\nreceivers: [{ name: x }]\n");
    let am = am.await?;
    let fleet = Fleet::start(FleetOptions::of(1, 1, Version::V1_20)).await?;
    let weir = Weir::start(crate::binary(), dir.path(), &config(&hook, &fleet, "{}")).await?;
    let good = json!([{ "labels": { "alertname": "Good" } }]).to_string();
    for (kind, body) in [
        (JSON, good.clone()),
        (JSON, "[]".to_owned()),
        (JSON, json!([{ "labels": { "no_name": "x" } }]).to_string()),
        (JSON, json!([{ "labels": { "alertname": "" } }]).to_string()),
        (JSON, json!([{ "labels": {} }]).to_string()),
        (JSON, json!([{ "labels": { "a-b": "c" } }]).to_string()),
        (JSON, json!([{ "labels": { "alertname": 1 } }]).to_string()),
        (JSON, json!([{ "labels": { "a": "b" }, "annotations": { "c d": "e" } }]).to_string()),
        (JSON, json!([{ "labels": { "a": "b" }, "fingerprint": "x", "status": {} }]).to_string()),
        (JSON, json!([{ "labels": { "a": "b" }, "startsAt": "2026-01-02T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z" }]).to_string()),
        (JSON, json!([{ "labels": { "a": "b" }, "endsAt": "tomorrow" }]).to_string()),
        (JSON, json!([{ "labels": { "a": "b" }, "endsAt": "0001-01-01T00:00:00.000Z" }]).to_string()),
        (JSON, json!([{ "labels": { "x-y": "z" } }, { "labels": { "alertname": "Beside" } }]).to_string()),
        (JSON, "{}".to_owned()),
        (JSON, "[".to_owned()),
        ("text/plain", good),
    ] {
        let (theirs, said) = post(am.url(), kind, &body).await?;
        let (ours, we_said) = post(&weir.url(""), kind, &body).await?;
        tools::note(&format!("{theirs} {ours} {body}"));
        ensure!((theirs < 300) == (ours < 300), "{body}:\n{theirs} {said}\n{ours} {we_said}");
        // 415 and 422 are client errors with both; which one is of no use to any sender.
        ensure!(ours < 500 && theirs < 500, "{body}: {theirs} {said}, {ours} {we_said}");
    }
    let names = |all: &[Value]| {
        let mut names: Vec<String> = all.iter().map(|i| i["rule"].to_string()).collect();
        names.sort();
        names
    };
    let all = story::list(&weir, "incidents").await?;
    let theirs: Value =
        http::client().get(format!("{}/api/v2/alerts", am.url())).send().await?.json().await?;
    let theirs = theirs.as_array().context("no list")?;
    ensure!(all.len() == theirs.len(), "{:?}\n{theirs:#?}", names(&all));
    ensure!(names(&all).contains(&"\"Beside\"".to_owned()), "one bad alert spoils no others");
    weir.stop().await?;
    am.stop().await
}

fn rules(expr: &str) -> String {
    format!(
        "groups:\n  - name: g\n    rules:\n      - alert: Slow\n        expr: {expr}\n        \
         labels: {{ severity: critical, cluster: web }}\n        \
         annotations: {{ summary: 'p99 is {{{{ $value }}}} s' }}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_sends_its_alerts() -> Result<()> {
    if tools::require(&["apt-get", "dpkg-deb"]).is_err() {
        tools::note("no Debian here: no real Prometheus sent anything");
        return Ok(());
    }
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let unpacked = prometheus::unpacked().await?;
    let fleet = Fleet::start(FleetOptions::of(1, 1, Version::V1_20)).await?;
    let mut weir = Weir::start(
        crate::binary(),
        dir.path(),
        &config(&hook, &fleet, "{ resolve_timeout: 20s }"),
    )
    .await?;
    story::ready(&weir).await?;
    let target = weir.url("").replace("http://", "");
    // Its alerts end four evaluations after they were sent last.
    let scrape = format!(
        "global: {{ evaluation_interval: 3s }}\nrule_files: [rules.yml]\nalerting:\n  \
         alertmanagers:\n    - static_configs: [{{ targets: [\"{target}\"] }}]\n"
    );
    // Another value each time.
    let prometheus = Prometheus::start(&unpacked, &scrape, &rules("vector(time()) > 0")).await?;
    let first = until_heard(&hook, &weir, "firing", "Slow").await;
    first.with_context(|| prometheus.log_tail())?;
    let slow = incident(&weir, "Slow").await?;
    tools::note(&format!("{slow:#}"));
    ensure!(slow["summary"].as_str().unwrap_or_default().starts_with("p99 is "), "{slow:#}");

    // Sent again each second for long past its end, and through a kill: no news, hardly a commit.
    let begin = time::now();
    let before = weir.commits().await?;
    let posts = |text: &str| {
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix("weir_inbound_alerts_total{outcome=\"taken\"} "));
        line.and_then(|count| count.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let sent = time::wait_for("20 more posts", story::SOON, || async {
        let enough = posts(&weir.text("/metrics").await?) > 8.0;
        Ok((enough && time::since(begin) > Duration::from_secs(25)).then_some(()))
    });
    sent.await?;
    let commits = weir.commits().await? - before;
    let sent = posts(&weir.text("/metrics").await?);
    tools::note(&format!("{commits} commits for {sent} posts in {:?}", time::since(begin)));
    ensure!(commits <= 8, "{commits} commits");
    weir.kill9().await?;
    weir.resume().await?;
    let back = time::wait_for("posts after the kill", story::SOON, || async {
        Ok((posts(&weir.text("/metrics").await?) > 3.0).then_some(()))
    });
    back.await?;
    ensure!(heard(&hook).len() == 1, "{:?}", heard(&hook));

    // The rule fires no more: Prometheus says so.
    prometheus.rules(&rules("vector(time()) < 0")).await?;
    until_heard(&hook, &weir, "resolved", "Slow").await?;
    prometheus.rules(&rules("vector(time()) > 0")).await?;
    let again = story::until(&weir, "it fires again", "incidents?state=open", |all| all.len() == 1);
    again.await?;

    // Prometheus dies: nobody sends any more.
    prometheus.kill9().await?;
    let over = story::until(
        &weir,
        "the end of what nobody sends",
        "incidents?state=open",
        <[Value]>::is_empty,
    );
    over.await?;
    let id = slow["id"].as_u64().context("no id")?;
    let timeline = weir.get(&format!("/api/v1/incidents/{id}")).await?["timeline"].to_string();
    ensure!(timeline.contains("no longer sent"), "{timeline}");
    weir.stop().await
}
