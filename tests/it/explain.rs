//! `weir explain` against a running weir, and what it says when there is none.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Recovery, Version};
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{http, story, tools};

/// A token as weir wants it.
const TOKEN: &str = "0123456789abcdef-read";

fn config(fleet: &Fleet) -> String {
    format!(
        "poll: {{ interval: 500ms, timeout: 5s }}\nreceivers:\n  - {{ name: me, channels: \
         [console] }}\n{}",
        story::sources(fleet, 1)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_three_failures_are_explained() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    let weir = Weir::start(crate::binary(), dir.path(), &config(&fleet)).await?;
    story::ready(&weir).await?;
    story::after_polls(&weir, 2).await?;
    for wanted in 1..=2 {
        fleet.fail_job(
            0,
            1,
            &Failure::new("java.io.IOException", "disk gone"),
            Recovery::AfterMs(100),
        );
        story::until(&weir, "the failure is seen", "jobs", |jobs| {
            jobs.iter().any(|job| job["failures"] == wanted && job["state"] == "RUNNING")
        })
        .await?;
    }

    let (code, out, err) =
        ask(dir.path(), &["explain", "job-1", "JobFailingRepeatedly", "--all"]).await?;
    tools::note(&out);
    ensure!(code == 0, "{code}: {out} {err}");
    for part in [
        "job:c0/job-1\n",
        "66 %",
        "2 failures within 30 min; the 3rd makes it true if before ",
        "count=2",
    ] {
        ensure!(out.contains(part), "no {part:?}: {out}");
    }
    let (code, out, err) = ask(dir.path(), &["explain"]).await?;
    tools::note(&out);
    ensure!(code == 0 && out.contains("66 %  "), "{code}: {out} {err}");
    let (code, out, err) = ask(dir.path(), &["explain", "job-0"]).await?;
    tools::note(&out);
    ensure!(
        code == 0 && out.contains("the job is RUNNING; true while it is FAILED"),
        "{out} {err}"
    );
    let (code, out, err) = ask(dir.path(), &["explain", "--source", "c0"]).await?;
    ensure!(code == 0 && out.contains("source:c0\n"), "{code}: {out} {err}");
    let (code, out, _) =
        ask(dir.path(), &["explain", "job-1", "--output", "json", "--limit", "2"]).await?;
    let json: serde_json::Value = serde_json::from_str(&out)?;
    ensure!(code == 0 && json["explanations"].as_array().map(Vec::len) == Some(2), "{out}");

    for (words, part) in [
        (vec!["explain", "job-"], "`job-` fits 3 jobs, say which:\n  c0/job-0\n"),
        (vec!["explain", "jbo-1"], "no job is named `jbo-1`; did you mean job-1?"),
        (vec!["explain", "job-1", "Nothing"], "no rule is named `Nothing`"),
    ] {
        let (code, out, err) = ask(dir.path(), &words).await?;
        ensure!(code == 1 && out.is_empty() && err.contains(part), "{words:?} {code}: {out} {err}");
    }
    let rules = story::list(&weir, "rules").await?;
    let rule = rules.iter().find(|rule| rule["alert"] == "JobFailingRepeatedly");
    ensure!(rule.is_some_and(|r| r["not_true"] == 3 && r["kind"] == "failure_rate"), "{rule:?}");
    weir.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_is_named_with_the_way_out() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let complains = async |dir: &Path, words: &[&str], parts: &[&str]| -> Result<()> {
        let (code, out, err) = ask(dir, words).await?;
        ensure!(code == 1 && out.is_empty(), "{words:?} ended with {code}: {out} {err}");
        for part in parts {
            ensure!(err.contains(part), "{words:?} lacks {part:?}: {err}");
        }
        Ok(())
    };
    let dead = Fleet::refused_url();
    let not_running = ["no running weir answers (address from --url", &dead, "`weir run`"];
    complains(dir.path(), &["explain", "--url", &dead], &not_running).await?;
    let hook = Webhook::start(WebhookOptions::default()).await?;
    let elsewhere = hook.url();
    complains(dir.path(), &["explain", "--url", &elsewhere], &["is not a weir"]).await?;

    let fleet = Fleet::start(FleetOptions::of(1, 1, Version::V2_2)).await?;
    let port = http::free_port()?;
    std::fs::write(dir.path().join("token"), format!("{TOKEN}\n"))?;
    std::fs::write(dir.path().join("wrong"), "another-token-of-somebody\n")?;
    let web = format!(
        "web: {{ listen: \"0.0.0.0:{port}\", tokens: [{{ name: ops, token_file: token }}] }}\n\
         store: {{ url: \"sqlite://closed.db\" }}\n"
    );
    std::fs::write(dir.path().join("weir.yaml"), web + &config(&fleet))?;
    complains(dir.path(), &["explain"], &["weir.yaml", &format!("http://127.0.0.1:{port}")])
        .await?;
    let mut weir = tokio::process::Command::new(crate::binary())
        .arg("run")
        .current_dir(dir.path())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    crate::testbed::time::wait_for("weir", Duration::from_mins(1), || async {
        let (_, _, err) = ask(dir.path(), &["explain"]).await?;
        Ok(err.contains("wants a token; give --token-file").then_some(()))
    })
    .await?;
    let wrong = ["explain", "--token-file", "wrong"];
    complains(dir.path(), &wrong, &["does not know the token", "access: read"]).await?;
    let (code, out, err) = ask(dir.path(), &["explain", "--token-file", "token"]).await?;
    ensure!(code == 0 && out.contains("0 firing"), "{code}: {out} {err}");
    weir.kill().await?;
    Ok(())
}
