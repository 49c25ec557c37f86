//! A mail server that refuses some recipients keeps the mail from nobody else, and nobody gets it
//! twice.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::smtp::{Smtp, SmtpOptions};
use crate::testbed::weir::Weir;
use crate::testbed::{story, time};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_recipient_keeps_the_mail_from_nobody() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 2, Version::V1_20)).await?;
    let smtp = Smtp::start(SmtpOptions::default()).await?;
    smtp.refuse(&[("gone@example.com", 550), ("left@example.com", 551)]);
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s, reopen_within: 1ms }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - email:
          smtp_url: "{}"
          tls: none
          from: "weir@example.com"
          to: ["gone@example.com", "ann@example.com", "left@example.com", "bob@example.com"]
{}"#,
        smtp.url(),
        story::sources(&fleet, 1),
    );
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    let broken = Failure::new("java.io.IOException", "disk gone");

    // Some are refused for good: the others have it at once, and that is said.
    fleet.kill_job(0, 0, &broken);
    let sent = |n: &Value, reason: &str| n["reason"] == reason && n["outcome"] == "sent";
    let told = story::until(&weir, "an opening that is sent", "notices", |all| {
        all.iter().any(|n| sent(n, "opened"))
    });
    let told = told.await.with_context(|| weir.log_tail())?;
    ensure!(told.iter().all(|n| n["attempts"] == 1), "{told:?}");
    let first = smtp.mails();
    ensure!(first.len() == 1, "{} mails", first.len());
    ensure!(first[0].recipients == ["ann@example.com", "bob@example.com"], "{first:?}");
    fleet.restart_job(0, 0);
    let ended = story::until(&weir, "an end that is sent", "notices", |all| {
        all.iter().any(|n| sent(n, "resolved"))
    });
    ended.await.with_context(|| weir.log_tail())?;
    for refused in ["gone@example.com", "left@example.com"] {
        let says = format!("recipient={refused}");
        let log = weir.log();
        let said = log.lines().filter(|l| l.contains(&says) && l.contains("refused")).count();
        ensure!(said == 1, "{refused} was said {said} times: {}", weir.log_tail());
    }

    // One is refused for now: tried again for that one only, with the same bytes.
    smtp.refuse(&[("bob@example.com", 450)]);
    fleet.kill_job(0, 1, &broken);
    let refused = smtp.wait_for_refusal(|r| r.code == 450, story::SOON).await;
    refused.with_context(|| weir.log_tail())?;
    smtp.refuse(&[]);
    let after = time::wait_for("the mail for everybody", story::SOON, || async {
        let mails: Vec<_> = smtp.mails().into_iter().skip(2).collect();
        let all: usize = mails.iter().map(|mail| mail.recipients.len()).sum();
        Ok(Some(mails).filter(|_| all >= 4))
    });
    let after = after.await.with_context(|| weir.log_tail())?;
    let mut recipients: Vec<&String> = after.iter().flat_map(|mail| &mail.recipients).collect();
    recipients.sort_unstable();
    let everybody = ["ann", "bob", "gone", "left"].map(|name| format!("{name}@example.com"));
    ensure!(recipients == everybody.iter().collect::<Vec<_>>(), "{recipients:?}");
    ensure!(after.len() == 2, "{} mails", after.len());
    let raw = |at: usize| std::fs::read(&after[at].raw_file);
    ensure!(raw(0)? == raw(1)?, "a retry differs");
    weir.stop().await
}
