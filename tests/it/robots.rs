//! DingTalk, WeCom and PagerDuty hear of one failure and its end, in spite of an answer with HTTP
//! 200 that is none and of one "too fast"; then of two hundred, within what the vendor takes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::testbed::dingtalk::{self, DingTalk};
use crate::testbed::faults::Fault;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::pagerduty::PagerDuty;
use crate::testbed::robot::{Received, Robot, Vendor};
use crate::testbed::story;
use crate::testbed::tools;
use crate::testbed::wecom::{self, WeCom};
use crate::testbed::weir::Weir;

const CLUSTERS: usize = 10;
const JOBS: usize = 20;
const ALL: usize = CLUSTERS * JOBS;
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What differs from vendor to vendor.
struct Channel<'a, V> {
    robot: &'a Robot<V>,
    /// In the configuration.
    config: String,
    /// Its "too fast", in an HTTP 200 or by status.
    too_fast: Fault,
    /// Its "busy", in an HTTP 200.
    busy: Fault,
    /// What people read.
    text: fn(&Received) -> String,
}

struct Scene {
    fleet: Fleet,
    weir: Weir,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn open(channel: &str) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let fleet = Fleet::start(FleetOptions::of(CLUSTERS, JOBS, Version::V1_20)).await?;
        std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
        let config = format!(
            r#"
poll: {{ interval: 1s, timeout: 5s }}
language: zh
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 2s, reopen_within: 1ms }}
route: {{ receiver: team, group_by: [cluster], group_wait: 1s, group_interval: 3s }}
receivers:
  - name: team
    channels: [{channel}]
{}"#,
            story::sources(&fleet, CLUSTERS)
        );
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        Ok(Scene { fleet, weir, _dir: dir })
    }

    /// Waits until so many notices of this reason were delivered; returns all of it.
    async fn told(&self, reason: &str, count: usize) -> Result<Vec<Value>> {
        story::until(&self.weir, &format!("{count} {reason}"), "notices", |all| {
            let told = all.iter().filter(|n| {
                let outcome = n["outcome"].as_str().unwrap_or_default();
                n["reason"] == reason && matches!(outcome, "sent" | "folded")
            });
            told.count() >= count
        })
        .await
    }
}

/// The story of one channel; what was told of two hundred failures and their end is looked at by the
/// caller.
async fn plays<V: Vendor>(channel: Channel<'_, V>) -> Result<Vec<Received>> {
    let Channel { robot, config, too_fast, busy, text } = channel;
    let scene = Scene::open(&config).await?;
    robot.faults().next(1, &busy);
    robot.faults().next(1, &too_fast);
    let failure = Failure::new("java.io.IOException", "[x](http://evil) <@all> @all **b**");
    scene.fleet.kill_job(3, 7, &failure);
    let seen = robot.wait_for(|r| text(r).contains("job-"), story::SOON).await;
    let seen = seen.with_context(|| scene.weir.log_tail())?;
    let opening = text(&seen);
    tools::note(&opening);
    for bad in ["](http://evil", "<@all>", "**b**"] {
        ensure!(!opening.contains(bad), "{bad} in {opening}");
    }
    let notices = scene.told("opened", 1).await?;
    let notice = notices.iter().find(|n| n["reason"] == "opened").context("no notice")?;
    ensure!(notice["attempts"] == 3, "a refusal counted as delivered: {notice:#}");
    ensure!(robot.accepted().len() == 1, "{:#?}", robot.accepted());
    scene.fleet.submit_again(3, 7);
    scene.told("resolved", 1).await?;
    robot
        .wait_for(|r| text(r).contains("恢复") || is_resolve(r), story::SOON)
        .await
        .context("end")?;

    let before = robot.accepted().len();
    ensure!(before == 2, "{:#?}", robot.accepted());
    for cluster in 0..CLUSTERS {
        for job in 0..JOBS {
            scene.fleet.kill_job(cluster, job, &failure);
        }
    }
    scene.told("opened", 1 + ALL).await?;
    let storm = robot.accepted().len() - before;
    for cluster in 0..CLUSTERS {
        for job in 0..JOBS {
            scene.fleet.submit_again(cluster, job);
        }
    }
    scene.told("resolved", 1 + ALL).await?;
    let accepted = robot.accepted();
    let largest = accepted.iter().map(|r| r.request.raw.len()).max().unwrap_or(0);
    tools::note(&format!(
        "{storm} requests for {ALL} openings, {} for their end, largest {largest} B",
        accepted.len() - before - storm
    ));
    ensure!(storm <= CLUSTERS, "{storm} requests for one storm");
    ensure!(robot.refused().is_empty(), "{:#?}", robot.refused());
    ensure!(robot.rate_violations() == 0, "too fast");
    scene.weir.stop().await?;
    Ok(accepted.into_iter().skip(before).collect())
}

fn is_resolve(received: &Received) -> bool {
    received.body()["event_action"] == "resolve"
}

/// Every opening and every end is named or counted in what arrived.
fn accounted(texts: &[String]) -> Result<()> {
    let named: usize = texts.iter().map(|text| text.matches("job-").count()).sum();
    let counted: usize = texts
        .iter()
        .filter_map(|text| text.split("另有 ").nth(1)?.split(' ').next()?.parse::<usize>().ok())
        .sum();
    ensure!(named + counted >= 2 * ALL, "{named} named, {counted} counted: {texts:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dingtalk_hears_of_it() -> Result<()> {
    let robot = DingTalk::start("token", Some("SEC1"), Some("告警")).await?;
    let url = robot.url("?access_token=token");
    let accepted = plays(Channel {
        robot: &robot,
        config: format!(
            "{{ dingtalk: {{ url: \"{url}\", secret: SEC1, at: [\"13800001111\"] }} }}"
        ),
        too_fast: Fault::code(dingtalk::TOO_FAST, "send too fast, exceed 20 times per minute"),
        busy: Fault::code(dingtalk::BUSY, "系统繁忙"),
        text: |r| dingtalk::text(r.body()),
    })
    .await?;
    ensure!(accepted.iter().all(|r| r.body()["at"]["isAtAll"] == false), "everybody is mentioned");
    let of = |r: &Received| r.body()["markdown"]["text"].as_str().unwrap_or_default().to_owned();
    accounted(&accepted.iter().map(of).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wecom_hears_of_it() -> Result<()> {
    let robot = WeCom::start("key").await?;
    let url = robot.url("?key=key");
    let accepted = plays(Channel {
        robot: &robot,
        config: format!("{{ wecom: {{ url: \"{url}\", at: [zhangsan] }} }}"),
        too_fast: Fault::code(wecom::TOO_FAST, "api freq out of limit"),
        busy: Fault::code(wecom::BUSY, "system busy"),
        text: |r| wecom::text(r.body()).to_owned(),
    })
    .await?;
    let longest = accepted.iter().map(|r| wecom::text(r.body()).len()).max().unwrap_or(0);
    tools::note(&format!("longest text {longest} B"));
    accounted(&accepted.iter().map(|r| wecom::text(r.body()).to_owned()).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pagerduty_hears_of_it_and_nothing_stays_open() -> Result<()> {
    let robot = PagerDuty::start(KEY).await?;
    let url = robot.url("");
    plays(Channel {
        robot: &robot,
        config: format!("{{ pagerduty: {{ url: \"{url}\", routing_key: {KEY} }} }}"),
        too_fast: Fault::too_many(1),
        busy: Fault::code(-1, "busy"),
        text: |r| {
            r.body()["payload"]["summary"].as_str().unwrap_or_default().to_owned()
                + &r.body()["payload"]["custom_details"]["job"].to_string()
        },
    })
    .await?;
    let alerts = robot.vendor().alerts();
    tools::note(&format!("{alerts:#?}"));
    ensure!(robot.vendor().open().is_empty(), "open for ever: {:?}", robot.vendor().open());
    let count: usize = alerts.values().map(Vec::len).sum();
    ensure!((2..=1 + CLUSTERS).contains(&count), "{count} alerts");
    Ok(())
}

#[tokio::test]
async fn a_test_message_arrives_everywhere() -> Result<()> {
    let dingtalk = DingTalk::start("token", Some("SEC1"), Some("告警")).await?;
    let wecom = WeCom::start("key").await?;
    let pager = PagerDuty::start(KEY).await?;
    let dir = tempfile::tempdir()?;
    let config = format!(
        r#"
language: zh
sources: [{{ flink: {{ name: prod, urls: ["http://127.0.0.1:1"] }} }}]
receivers:
  - name: team
    channels:
      - dingtalk: {{ url: "{}", secret_file: secret }}
      - wecom: {{ url: "{}" }}
      - pagerduty: {{ url: "{}", routing_key_file: key }}
"#,
        dingtalk.url("?access_token=token"),
        wecom.url("?key=key"),
        pager.url(""),
    );
    std::fs::write(dir.path().join("weir.yaml"), config)?;
    std::fs::write(dir.path().join("secret"), "SEC1\n")?;
    std::fs::write(dir.path().join("key"), format!("{KEY}\n"))?;
    let run = async |arguments: &[&str]| {
        let output = tokio::process::Command::new(crate::binary())
            .args(arguments)
            .current_dir(dir.path())
            .output();
        let output = tokio::time::timeout(Duration::from_mins(1), output).await??;
        let text = [output.stdout, output.stderr].concat();
        anyhow::Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
    };
    let (fine, text) = run(&["check", "--config", "weir.yaml"]).await?;
    ensure!(fine, "{text}");
    let (fine, text) = run(&["test-message", "team", "--config", "weir.yaml"]).await?;
    ensure!(fine && text.matches(": accepted").count() == 3, "{text}");
    ensure!(dingtalk.accepted().len() == 1 && wecom.accepted().len() == 1, "{text}");
    ensure!(pager.accepted().len() == 2 && pager.vendor().open().is_empty(), "{text}");
    // A wrong secret says where to look, and not what it is.
    std::fs::write(dir.path().join("secret"), "SEC-hush\n")?;
    let (fine, text) = run(&["test-message", "team", "--config", "weir.yaml"]).await?;
    ensure!(!fine && text.contains("sign not match") && !text.contains("hush"), "{text}");
    Ok(())
}
