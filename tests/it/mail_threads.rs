//! One incident is one thread in a mail client: opening, return and end of one job stand together,
//! and apart from those of another.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::smtp::{Mail, Smtp, SmtpOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{story, time};

/// Mails the two incidents bring: opening and end of each, and what follows when one comes back.
const MAILS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_is_a_thread_of_its_own() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 2, Version::V1_20)).await?;
    let smtp = Smtp::start(SmtpOptions::default()).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 10m }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - email: {{ smtp_url: "{}", tls: none, from: "weir@example.com", to: ["oncall@example.com"] }}
{}"#,
        smtp.url(),
        story::sources(&fleet, 1),
    );
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    let mails = async |n: usize| {
        let what = format!("{n} mails");
        let all = time::wait_for(&what, story::SOON, || async {
            Ok(Some(smtp.mails()).filter(|mails| mails.len() >= n))
        });
        all.await.with_context(|| weir.log_tail())
    };
    let broken = Failure::new("java.io.IOException", "disk gone");
    fleet.kill_job(0, 0, &broken);
    fleet.kill_job(0, 1, &broken);
    mails(2).await?;
    fleet.restart_job(0, 0);
    fleet.restart_job(0, 1);
    mails(4).await?;
    fleet.kill_job(0, 0, &broken);
    let all = mails(MAILS).await?;

    let mut by_first: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in &all {
        let own = mail.header("message-id").context("a mail without an id")?;
        let first = mail.header("references").and_then(|ids| ids.split_whitespace().next());
        *by_first.entry(first.unwrap_or(own)).or_default() += 1;
    }
    let mut sizes: Vec<usize> = by_first.into_values().collect();
    sizes.sort_unstable();
    ensure!(sizes == [2, 3], "threads of {sizes:?} mails by their headers");
    match as_notmuch_shows(dir.path(), &all)? {
        Some(threads) => {
            println!("threads as notmuch shows them:\n{threads}");
            ensure!(threads.lines().count() == 2, "{threads}");
            ensure!(threads.contains("[2/2]") && threads.contains("[3/3]"), "{threads}");
        }
        None => println!("there is no notmuch here: judged by the headers alone"),
    }
    weir.stop().await
}

/// The threads a mail client makes of these mails, a line each; none: it is not installed.
fn as_notmuch_shows(dir: &Path, mails: &[Mail]) -> Result<Option<String>> {
    let folder = dir.join("mail");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(folder.join(part))?;
    }
    for (n, mail) in mails.iter().enumerate() {
        std::fs::copy(&mail.raw_file, folder.join(format!("cur/{n}:2,")))?;
    }
    let config = dir.join("notmuch.conf");
    let path = folder.display();
    std::fs::write(
        &config,
        format!("[database]\npath={path}\n[user]\nname=t\nprimary_email=t@t\n"),
    )?;
    let notmuch = |args: &[&str]| -> Result<Option<String>> {
        let mut command = std::process::Command::new("notmuch");
        match command.args(args).env("NOTMUCH_CONFIG", &config).env("HOME", dir).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                ensure!(done.status.success(), "notmuch {args:?}: {said}");
                Ok(Some(String::from_utf8_lossy(&done.stdout).into_owned()))
            }
        }
    };
    if notmuch(&["new", "--quiet"])?.is_none() {
        return Ok(None);
    }
    notmuch(&["search", "--sort=oldest-first", "*"])
}
