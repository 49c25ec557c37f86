//! Channels that refuse: said once with the way out, counted, visible, the notice kept, no secret
//! told, and told through a channel that works.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::faults::Fault;
use crate::testbed::feishu::{Bot, Feishu};
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::smtp::{Smtp, SmtpOptions, SmtpTls};
use crate::testbed::story;
use crate::testbed::tools;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;

const SECRETS: [&str; 4] =
    ["feishu-s3cret-hush", "smtp-pa55-hush", "hook-s3cret-hush", "token-of-the-bot"];

const RULES: &str = "
groups:
  - name: bad
    rules:
      - alert: JobFailed
        when: { job_state: { any_of: [FAILED] } }
        labels: { severity: critical }
";

/// A message of each refusing channel, and where it is seen.
async fn refused(weir: &Weir, channel: &str, words: &[&str]) -> Result<()> {
    let mine = |n: &&Value| n["channel"] == channel && n["reason"] == "opened";
    let found = story::until(weir, &format!("failed notice of {channel}"), "notices", |all| {
        all.iter().any(|n| mine(&n) && n["outcome"] == "failed")
    })
    .await?;
    let notice = found.iter().find(mine).context("no notice")?;
    let error = notice["error"].as_str().context("no error")?;
    tools::note(&format!("{channel}: {error}"));
    ensure!(words.iter().all(|w| error.contains(w)), "{channel} says {error}, not {words:?}");
    let metrics = weir.text("/metrics").await?;
    let line = format!("receiver=\"team\",channel=\"{channel}\",outcome=\"failed\"");
    ensure!(metrics.lines().any(|l| l.contains(&line) && l.starts_with("weir_notices_total")));
    let log = weir.log();
    let said = log.lines().filter(|l| {
        l.contains(&format!("channel=team/{channel} ")) && words.iter().all(|w| l.contains(w))
    });
    let said = said.count();
    ensure!(said == 1, "{channel} was said {said} times: {}", weir.log_tail());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_refuses_is_said_once_and_told_elsewhere() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    let feishu = Feishu::start([
        Bot::new("token-of-the-bot").secret("another secret"),
        Bot::new("token-of-the-bot-2").keywords(&["值班"]),
    ])
    .await?;
    let login = Some(("weir".to_owned(), "another password".to_owned()));
    let smtp = Smtp::start(SmtpOptions { tls: SmtpTls::Plain, login }).await?;
    let strict = Webhook::start(WebhookOptions::default()).await?;
    strict.faults().share(1000, 1, Fault::status(400));
    let works = Webhook::start(WebhookOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), RULES)?;
    for (name, secret) in [("feishu", SECRETS[0]), ("smtp", SECRETS[1]), ("hook", SECRETS[2])] {
        std::fs::write(dir.path().join(name), format!("{secret}\n"))?;
    }
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
self_monitoring: {{ failing_after: 2s }}
incidents: {{ resolve_after: 1s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - feishu_bot: {{ name: sign, url: "{sign}", secret_file: feishu }}
      - feishu_bot: {{ name: keyword, url: "{keyword}" }}
      - email: {{ smtp_url: "{mail}", password_file: smtp, tls: none, from: "weir@example.com", to: ["oncall@example.com"] }}
      - webhook: {{ name: strict, url: "{strict}", secret_file: hook }}
      - webhook: {{ name: works, url: "{works}" }}
{sources}"#,
        sign = feishu.url("token-of-the-bot"),
        keyword = feishu.url("token-of-the-bot-2"),
        mail = smtp.url().replace("smtp://", "smtp://weir@"),
        strict = strict.url(),
        works = works.url(),
        sources = story::sources(&fleet, 1),
    );
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));

    refused(&weir, "sign", &["19021", "secret"]).await?;
    refused(&weir, "keyword", &["19024", "keyword"]).await?;
    refused(&weir, "email", &["password"]).await?;
    refused(&weir, "strict", &["400"]).await?;

    // Told through the one that works.
    for channel in ["sign", "keyword", "email", "strict"] {
        let wanted = format!("team/{channel}");
        let told = works.wait_for(
            |r| r.raw.contains("WeirChannelFailing") && r.raw.contains(&wanted),
            story::SOON,
        );
        told.await.with_context(|| format!("{channel}: {}", weir.log_tail()))?;
    }

    let mut everything = weir.log();
    for path in ["notices", "messages", "incidents", "jobs", "sources"] {
        everything += &serde_json::to_string(&story::list(&weir, path).await?)?;
    }
    for page in ["/", "/metrics", "/-/ready"] {
        everything += &weir.text(page).await?;
    }
    for one in works.received() {
        everything += &one.raw;
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["check", "--help"]] {
        everything += &ask(dir.path(), arguments).await?.1;
    }
    for secret in SECRETS {
        ensure!(!everything.contains(secret), "{secret} was told");
    }
    weir.stop().await
}

/// Runs the program in a folder: exit code, and all it printed.
async fn ask(dir: &std::path::Path, arguments: &[&str]) -> Result<(i32, String)> {
    let output = tokio::process::Command::new(crate::binary())
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .await?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned()))
}
