//! A per-application job on a real YARN dies, and Weir starts it again by the driver `command`: with
//! the very lines of the README, and every way its program can end.
//!
//! Downloads 90 MB and starts up to six JVMs: a part of `make e2e`, not of `make test`.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::restart_bed::timeline;
use crate::testbed::control::Control;
use crate::testbed::job::{JobSpec, RestartStrategy};
use crate::testbed::rest::FlinkRest;
use crate::testbed::story;
use crate::testbed::table::Rows;
use crate::testbed::webhook::{Webhook, WebhookOptions};
use crate::testbed::weir::Weir;
use crate::testbed::yarn::flink::FlinkApp;
use crate::testbed::yarn::launcher::{Launcher, Mishap, write_program};
use crate::testbed::yarn::{Yarn, YarnOptions};
use crate::testbed::{time, tools};

const JOB: &str = "orders";
/// Two busy cores make everything slow; nothing here waits this long when it works.
const LONG: Duration = Duration::from_mins(5);
const README: &str = include_str!("../../README.md");

/// The text of the README from here up to there.
fn readme(from: &str, to: &str) -> Result<&'static str> {
    let rest = README.split_once(from).with_context(|| format!("no {from:?} in the README"))?.1;
    Ok(rest.split_once(to).with_context(|| format!("no {to:?} after {from:?}"))?.0)
}

/// The README's entry for an application on YARN and its script that looks for a tag, with the paths
/// and addresses of this cluster.
fn entry(yarn: &Yarn, launcher: &Launcher, control: &Control, folder: &Path) -> Result<String> {
    let script = readme("```text\n#!/bin/sh\napps=", "```")?;
    let looker = folder.join("find-yarn-tag");
    write_program(&looker, &format!("#!/bin/sh\napps={script}"))?;
    let entry = readme("  - name: yarn-application\n", "  - name: kubernetes-application")?;
    let jars = readme("HADOOP_CLASSPATH: \"", "\"")?;
    let manager = yarn.rest(0).url().trim_start_matches("http://").to_owned();
    let show = |path: &Path| path.display().to_string();
    let here = [
        ("/opt/flink/bin/flink", show(&launcher.program)),
        ("/opt/jobs/", format!("{}/", show(&launcher.jars))),
        ("/opt/weir/find-yarn-tag", show(&looker)),
        ("/etc/hadoop/conf", show(&launcher.hadoop_conf)),
        (jars, launcher.hadoop_jars.clone()),
        ("rm-1:8088", manager),
        // Its program has arguments.
        (".jar\"]", format!(".jar\", --control, \"{}\"]", show(control.folder()))),
    ];
    let mut text = format!("  - name: yarn-application\n    mode: automatic\n{entry}");
    for (there, here) in here {
        ensure!(text.contains(there), "the README says {there} no more:\n{text}");
        text = text.replace(there, &here);
    }
    Ok(text)
}

struct Bed {
    yarn: Yarn,
    launcher: Launcher,
    control: Control,
    weir: Weir,
    hook: Webhook,
    rows: Rows,
    dirs: [tempfile::TempDir; 2],
}

impl Bed {
    async fn new() -> Result<Bed> {
        tools::require(&["curl"])?;
        let yarn = Yarn::start(YarnOptions::default()).await?;
        let controls = tempfile::tempdir()?;
        let control = Control::new(controls.path())?;
        let spec = JobSpec { restart: RestartStrategy::None, ..JobSpec::new(JOB, &control) };
        let mut app = FlinkApp::application(spec);
        // Its JobManager goes with it: what it did after the last look nobody can ask it.
        app.conf.push(("state.checkpoints.num-retained".to_owned(), "5".to_owned()));
        let launcher = yarn.launcher(&app).await?;
        let dir = tempfile::tempdir()?;
        let hook = Webhook::start(WebhookOptions::default()).await?;
        let entry = entry(&yarn, &launcher, &control, dir.path())?;
        let config = format!(
            r#"
poll: {{ interval: 1s, timeout: 5s }}
sources:
  - yarn: {{ name: emr, resource_managers: {:?} }}
incidents: {{ resolve_after: 3s }}
route: {{ receiver: team, group_by: [cluster], group_wait: 0s, group_interval: 5s }}
receivers:
  - name: team
    channels:
      - webhook: {{ url: "{}" }}
restarts:
{entry}    attempts: {{ max: 9, per: 1h }}
    same_cause: 9
    backoff: {{ initial: 0s, max: 1s }}
    start_within: 5m
"#,
            yarn.urls(),
            hook.url()
        );
        first_run(&yarn, &launcher, &control).await?;
        let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
        story::ready(&weir).await?;
        let rows = Rows::of("YARN, restarts", &yarn.version().await?);
        Ok(Bed { yarn, launcher, control, weir, hook, rows, dirs: [dir, controls] })
    }

    async fn restarts(&self) -> Result<Vec<Value>> {
        let mut all = story::list(&self.weir, "restarts").await?;
        all.reverse();
        Ok(all)
    }

    async fn until(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Result<Vec<Value>> {
        let found = time::wait_for(what, LONG, || async {
            let all = self.restarts().await?;
            Ok(wanted(&all).then_some(all))
        });
        match found.await {
            Ok(found) => Ok(found),
            Err(error) => {
                let rows = serde_json::to_string_pretty(&self.restarts().await?)?;
                let incidents = story::list(&self.weir, "incidents").await?;
                let tail = self.weir.log_tail();
                Err(error.context(format!("{rows}\n{incidents:#?}\n{tail}")))
            }
        }
    }

    /// Applications of the job that live, by YARN's own account.
    async fn live(&self) -> Result<Vec<Value>> {
        let mut apps = self.yarn.rest(0).flink_apps().await?;
        let over = ["FINISHED", "FAILED", "KILLED"];
        apps.retain(|app| !over.contains(&app["state"].as_str().unwrap_or_default()));
        Ok(apps)
    }

    /// All applications that bear the mark of a restart.
    async fn marked(&self, row: &Value) -> Result<usize> {
        let mark = format!("weir-{}", row["handle"].as_str().context("no handle")?);
        let apps = self.yarn.rest(0).flink_apps().await?;
        Ok(apps.iter().filter(|app| app["applicationTags"] == *mark).count())
    }

    /// Its checkpoints are in Weir's hands: those it has now may go on being taken.
    async fn until_seen(&self) -> Result<()> {
        let healthy = |job: &Value| job["state"] == "RUNNING" && job["stale"] == false;
        story::until(&self.weir, "a healthy job", "jobs", |all| all.iter().any(healthy)).await?;
        story::after_polls(&self.weir, 3).await
    }

    async fn fail_once(&self) -> Result<()> {
        let before = self.control.failures()?;
        self.control.crash_times(1, Duration::ZERO)?;
        time::wait_for("the failure", LONG, || async {
            Ok((self.control.failures()? > before).then_some(()))
        })
        .await?;
        self.control.crash_off()
    }

    /// One more restart was verified; one application lives, which bears its mark and counts on where
    /// its checkpoint was. Returns the restart's row.
    async fn is_back(&self, restarts: usize) -> Result<Value> {
        let what = format!("restart {restarts} verified");
        let verified = |row: &Value| row["state"] == "verified";
        let done =
            self.until(&what, |all| all.len() == restarts && all.last().is_some_and(verified));
        let row = done.await?.pop().context("no restart")?;
        let live = self.live().await?;
        ensure!(live.len() == 1 && self.marked(&row).await? == 1, "{row:#}\n{live:#?}");
        let mark = format!("weir-{}", row["handle"].as_str().unwrap_or_default());
        ensure!(live[0]["applicationTags"] == *mark && live[0]["name"] == JOB, "{live:#?}");
        let id = live[0]["id"].as_str().context("no id")?;
        let flink = self.yarn.flink_rest(id).await?;
        let restored = flink.checkpoints(row["job_id"].as_str().context("no job id")?).await?;
        let from = &restored["latest"]["restored"]["external_path"];
        ensure!(row["from"] == *from && from.is_string(), "{row:#}\n{restored:#}");
        let counted = self.control.restored()?;
        ensure!(counted.len() == restarts + 1 && counted.last() > Some(&0), "{counted:?}");
        let miscounts = self.control.miscounts()?;
        ensure!(miscounts.is_empty(), "{miscounts:?}");
        Ok(row)
    }

    /// Exit code of the README's script that looks for a mark.
    async fn look_for(&self, mark: &str) -> Result<Option<i32>> {
        let manager = self.yarn.rest(0).url().trim_start_matches("http://").to_owned();
        let looker = self.dirs[0].path().join("find-yarn-tag");
        let mut command = tokio::process::Command::new(looker);
        let ended = command.arg(mark).env("RM", manager).kill_on_drop(true).status();
        Ok(tokio::time::timeout(LONG, ended).await??.code())
    }

    /// What the timeline says of a restart.
    async fn said(&self, row: &Value) -> Result<String> {
        timeline(&self.weir, row, self.yarn.dir()).await
    }
}

/// Somebody submits the job by hand, with the same command line.
async fn first_run(yarn: &Yarn, launcher: &Launcher, control: &Control) -> Result<()> {
    let program = launcher.program.display().to_string();
    let control = control.folder().display().to_string();
    let jar = launcher.jars.join(format!("{JOB}.jar")).display().to_string();
    let name = format!("-Dyarn.application.name={JOB}");
    let args = ["run-application", "-t", "yarn-application", &name, &jar, "--control", &control];
    let env: [(&str, &OsStr); 2] = [
        ("HADOOP_CONF_DIR", launcher.hadoop_conf.as_os_str()),
        ("HADOOP_CLASSPATH", OsStr::new(&launcher.hadoop_jars)),
    ];
    tools::run_with(&program, &args, &env).await?;
    let flink = time::wait_for("the first run", LONG, || async {
        let apps = yarn.rest(0).flink_apps().await?;
        let id = apps.first().and_then(|app| app["id"].as_str()).context("no application")?;
        let flink = yarn.flink_rest(id).await?;
        Ok(only_job(&flink).await?.map(|job| (flink, job)))
    });
    let (flink, job) = flink.await?;
    flink.wait_for_checkpoints(&job, 2, LONG).await?;
    Ok(())
}

async fn only_job(flink: &FlinkRest) -> Result<Option<String>> {
    let overview = flink.get("/jobs/overview").await?;
    Ok(overview["jobs"][0]["jid"].as_str().map(str::to_owned))
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn an_application_that_died_is_started_again_by_its_command() -> Result<()> {
    let mut bed = Bed::new().await?;
    let began = time::now();
    bed.until_seen().await?;
    bed.fail_once().await?;
    let row = bed.is_back(1).await?;
    let said = bed.said(&row).await?;
    ensure!(bed.launcher.calls()? == 2, "{said}");
    bed.rows.add("an application dies, `command` starts it again", &said, time::since(began));

    // YARN has taken it, and its program ends as if it had not.
    let began = time::now();
    bed.until_seen().await?;
    bed.launcher.next(Mishap::Late)?;
    bed.fail_once().await?;
    let row = bed.is_back(2).await?;
    let said = bed.said(&row).await?;
    ensure!(bed.launcher.has_met(Mishap::Late) && bed.launcher.calls()? == 3, "{said}");
    bed.rows.add("`command` ends with 1 though YARN took it", &said, time::since(began));

    // It ends alike, and nothing was taken: the tag tells the two apart.
    let began = time::now();
    bed.until_seen().await?;
    bed.launcher.next(Mishap::Early)?;
    bed.fail_once().await?;
    let row = bed.is_back(3).await?;
    let said = bed.said(&row).await?;
    ensure!(bed.launcher.has_met(Mishap::Early) && bed.launcher.calls()? == 5, "{said}");
    bed.rows.add("`command` ends with 1, YARN was not asked", &said, time::since(began));

    // Weir is killed while its program is at work, which goes on.
    let began = time::now();
    bed.until_seen().await?;
    bed.fail_once().await?;
    time::wait_for("the program at work", LONG, || async {
        Ok((bed.launcher.calls()? == 6).then_some(()))
    })
    .await?;
    bed.weir.kill9().await?;
    bed.weir.resume().await?;
    let row = bed.is_back(4).await?;
    let said = bed.said(&row).await?;
    bed.rows.add("Weir is killed while `command` is at work", &said, time::since(began));

    // The README's script tells what bears a mark from what does not, and both from no answer.
    let mark = format!("weir-{}", row["handle"].as_str().unwrap_or_default());
    ensure!(bed.look_for(&mark).await? == Some(0) && bed.look_for("weir-0").await? == Some(4));
    bed.yarn.stop_resource_manager(0).await?;
    ensure!(bed.look_for(&mark).await? == Some(75));
    // Another application has another JobManager: that is no news.
    let incidents = story::list(&bed.weir, "incidents").await?;
    let of_jobmanager = |i: &Value| i["rule"] == "JobManagerRestarted";
    ensure!(!incidents.iter().any(of_jobmanager), "{incidents:#?}");
    // Of all this each incident was opened once.
    let told: Vec<_> = bed.hook.taken().iter().flat_map(story::told).collect();
    let mut opened: Vec<u64> = told.iter().filter(|t| t.1 == "opened").map(|t| t.0).collect();
    let all = opened.len();
    opened.dedup();
    ensure!(!opened.is_empty() && opened.len() == all, "{told:?}");
    bed.rows.write()?;
    bed.weir.stop().await?;
    bed.yarn.stop().await
}
