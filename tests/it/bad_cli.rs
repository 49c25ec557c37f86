//! The command line: what it prints and how it ends, with good and with bad input.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, ensure};

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::tools;
use crate::testbed::webhook::{Webhook, WebhookOptions};

/// Runs the program in a folder: exit code, stdout, stderr.
pub(crate) async fn ask(dir: &Path, arguments: &[&str]) -> Result<(i32, String, String)> {
    let output = tokio::process::Command::new(crate::binary())
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr)))
}

const BROKEN: &str = "store: { url: \"sqlite://weir.db\" }
poll: { interval: fast }
sources:
  - flink: { name: prod, url: [\"http://127.0.0.1:1\"] }
route: { receiver: nobody }
receivers:
  - name: team
    channels: [carrier_pigeon]
";

#[tokio::test]
async fn a_broken_configuration_is_refused_with_all_its_errors() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("weir.yaml"), BROKEN)?;
    for command in ["run", "check"] {
        let (code, out, err) = ask(dir.path(), &[command]).await?;
        ensure!(code == 2, "{command} ended with {code}: {err}");
        ensure!(out.is_empty(), "{command}: {out}");
        for place in
            ["weir.yaml:2:19: ", "weir.yaml:4:26: ", "weir.yaml:5:20: ", "weir.yaml:8:16: "]
        {
            ensure!(err.contains(place), "{command} lacks {place}: {err}");
        }
    }
    ensure!(!dir.path().join("weir.db").exists(), "it started something");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_configuration_is_checked_with_warnings() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let hook =
        Webhook::start(WebhookOptions { any_json: true, ..WebhookOptions::default() }).await?;
    let config = format!(
        "sources:\n  - flink: {{ name: prod, urls: [\"http://127.0.0.1:1\"] }}\nroute: {{ receiver: team \
         }}\nreceivers:\n  - name: team\n    channels:\n      - webhook: {{ url: \"{}\" }}\n  - name: \
         nobody\n    channels:\n      - webhook: {{ url: \"http://127.0.0.1:1/\" }}\n",
        hook.url()
    );
    std::fs::write(dir.path().join("weir.yaml"), config)?;
    let (code, out, err) = ask(dir.path(), &["check"]).await?;
    ensure!(code == 0 && out.starts_with("ok: 1 sources"), "{code}: {out} {err}");
    ensure!(err.contains("nobody would know that Weir itself is dead"), "{err}");

    let (code, out, err) = ask(dir.path(), &["test-message", "team"]).await?;
    ensure!(code == 0 && out.contains("team/webhook: accepted"), "{code}: {out} {err}");
    ensure!(hook.accepted().len() == 1, "{:?}", hook.received());
    let (code, out, err) = ask(dir.path(), &["test-message", "nobody"]).await?;
    ensure!(code == 1 && out.contains("nobody/webhook: not now"), "{code}: {out} {err}");
    let (code, out, err) = ask(dir.path(), &["test-message", "stranger"]).await?;
    ensure!(code == 2 && err.contains("receivers: nobody, team"), "{code}: {out} {err}");
    let (code, _, err) = ask(dir.path(), &["frobnicate"]).await?;
    ensure!(code == 2, "{code}: {err}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_look_says_who_needs_somebody() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V2_2)).await?;
    let url = fleet.url(0);
    let (code, out, err) = ask(dir.path(), &["watch", "--once", &url]).await?;
    ensure!(
        code == 0 && out.contains("3 jobs on 1 clusters, nothing needs you"),
        "{code}: {out} {err}"
    );
    fleet.kill_job(0, 1, &Failure::new("java.io.IOException", "disk gone"));
    let (code, out, err) = ask(dir.path(), &["watch", "--once", &url]).await?;
    tools::note(&out);
    ensure!(code == 1 && out.contains("3 jobs on 1 clusters, 1 need you:"), "{code}: {out} {err}");
    ensure!(out.contains("job-1 · failed for good · IOException: disk gone"), "{out}");
    let dead = Fleet::refused_url();
    let (code, out, err) = ask(dir.path(), &["watch", "--once", &dead]).await?;
    ensure!(code == 1 && out.contains("Weir cannot reach"), "{code}: {out} {err}");
    Ok(())
}
