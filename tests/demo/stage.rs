//! Everything on stage: Flink with its jobs, who listens, and Weir.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;

use crate::args::Args;
use crate::screen::Screen;
use crate::testbed::control::Control;
use crate::testbed::feishu::{Bot, Feishu};
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::job::{self, JobSpec, RestartStrategy};
use crate::testbed::smtp::{Smtp, SmtpOptions, SmtpTls};
use crate::testbed::weir::Weir;
use crate::testbed::{time, tools};

/// Two cores and a cold disk take their time.
const SOON: Duration = Duration::from_mins(2);

const FEISHU_SECRET: &str = "demo-feishu-secret";
const SMTP_PASSWORD: &str = "demo-smtp-password";
pub(crate) const MAILBOX: &str = "oncall@example.com";

/// The one rule whose shipped twin waits 20 minutes before it believes in a lag.
const RULES: &str = include_str!("rules.yaml");

/// One of the five jobs.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) control: Control,
    pub(crate) id: String,
    checkpoints: Duration,
    retries: u32,
}

impl Job {
    /// Dies with its eighth failure within half an hour, as many a production job does; one dies with
    /// the first.
    fn spec(&self) -> JobSpec {
        let (interval, delay) = (Duration::from_mins(30), Duration::from_secs(1));
        let restart = match self.retries {
            0 => RestartStrategy::None,
            max => RestartStrategy::FailureRate { max, interval, delay },
        };
        JobSpec {
            restart,
            checkpoint_interval: Some(self.checkpoints),
            ..JobSpec::new(self.name, &self.control)
        }
    }
}

/// The five jobs.
pub(crate) struct Jobs {
    pub(crate) healthy: Job,
    pub(crate) crashing: Job,
    pub(crate) stuck: Job,
    pub(crate) lagging: Job,
    pub(crate) dying: Job,
}

/// All but Weir.
pub(crate) struct Props {
    flink: Flink,
    jobs: Jobs,
    feishu: Feishu,
    smtp: Smtp,
    dir: TempDir,
}

impl Props {
    /// Starts them, healthy.
    ///
    /// # Errors
    /// When a tool is missing or something does not come up; the text says what to do.
    pub(crate) async fn set_up(args: &Args, screen: &Screen) -> Result<Props> {
        tools::require(&["java", "javac", "jar", "python3", "kill"])?;
        let dir = tempfile::Builder::new().prefix("weir-demo-").tempdir()?;
        screen.say("starting a mail server and a Feishu bot that checks signatures …");
        let login = Some(("weir".to_owned(), SMTP_PASSWORD.to_owned()));
        let smtp = Smtp::start(SmtpOptions { tls: SmtpTls::StartTls, login }).await?;
        let bot = Bot::new("demo").secret(FEISHU_SECRET);
        let bot = if args.language == "zh" { bot.keywords(&["告警"]) } else { bot };
        let feishu = Feishu::start([bot]).await?;
        screen.say(&format!("starting Flink {} …", args.flink));
        let flink = Flink::start(FlinkOptions::version(&args.flink)).await?;
        screen.say("starting five jobs …");
        let job = |name, seconds| -> Result<Job> {
            let control = Control::new(&flink.dir().join("control").join(name))?;
            let checkpoints = Duration::from_secs(seconds);
            Ok(Job { name, control, id: String::new(), checkpoints, retries: 7 })
        };
        let mut jobs = Jobs {
            healthy: job("orders-enrich", 2)?,
            crashing: job("payments-sync", 1)?,
            stuck: job("inventory-sink", 4)?,
            lagging: job("clicks-rollup", 2)?,
            dying: Job { retries: 0, ..job("sessions-join", 1)? },
        };
        let Jobs { healthy, crashing, stuck, lagging, dying } = &mut jobs;
        for job in [healthy, crashing, stuck, lagging, dying] {
            job.control.set_backlog(0)?;
            job.id = flink.submit(&job.spec()).await?;
        }
        let props = Props { flink, jobs, feishu, smtp, dir };
        let Jobs { healthy, crashing, stuck, dying, .. } = &props.jobs;
        for job in [healthy, crashing, stuck, dying] {
            props.flink.rest().wait_until_healthy(&job.id, SOON).await?;
            props.flink.rest().wait_for_checkpoints(&job.id, 1, SOON).await?;
        }
        props.flink.rest().wait_until_healthy(&props.jobs.lagging.id, SOON).await?;
        Ok(props)
    }

    /// The entry under `restarts`: as somebody would write it who started the job by its jar.
    async fn restart(&self) -> Result<String> {
        let Job { name, .. } = &self.jobs.dying;
        let request = self.jobs.dying.spec().run_request(self.flink.release());
        let jar_file = job::jar(self.flink.version()).await?;
        let mut driver = json!({
            "jar": "orders.jar",
            "jar_file": jar_file.display().to_string(),
            "entry_class": job::ENTRY_CLASS,
            "args": request["programArgsList"],
        });
        if !request["flinkConfiguration"].is_null() {
            driver["configuration"] = request["flinkConfiguration"].clone();
        }
        let entry = json!({
            "name": name,
            "matchers": [format!("job_name=\"{name}\"")],
            "mode": "automatic",
            "backoff": { "initial": "5s", "max": "1m" },
            "driver": { "flink_jar": driver },
        });
        Ok(entry.to_string())
    }

    async fn config(&self, language: &str) -> Result<String> {
        let dir = self.dir.path();
        let write = |name: &str, text: &str| -> Result<String> {
            let file = dir.join(name);
            std::fs::write(&file, text)
                .with_context(|| format!("cannot write {}", file.display()))?;
            Ok(file.display().to_string())
        };
        std::fs::create_dir_all(dir.join("rules"))?;
        for (file, text) in weir::rules::SHIPPED {
            write(file, text)?;
        }
        write("rules/zz-demo.yaml", RULES)?;
        Ok(format!(
            r#"
poll: {{ interval: 2s, timeout: 2s }}
language: {language}
time_zone: {zone}
rule_files: ["rules/*.yaml"]
sources:
  - flink: {{ name: demo, urls: {urls:?} }}
incidents: {{ resolve_after: 15s }}
route: {{ receiver: team, group_by: [cluster, job_name], group_wait: 1s, group_interval: 5s }}
receivers:
  - name: team
    channels:
      - feishu_bot: {{ url: "{feishu}", secret_file: "{feishu_secret}" }}
      - email: {{ smtp_url: "{smtp}", password_file: "{password}", ca_file: "{ca}", from: "Weir <weir@example.com>", to: ["{MAILBOX}"] }}
restarts:
  - {restart}
"#,
            restart = self.restart().await?,
            zone = if language == "zh" { "Asia/Shanghai" } else { "UTC" },
            urls = self.flink.rest_urls(),
            feishu = self.feishu.url("demo"),
            feishu_secret = write("feishu.secret", FEISHU_SECRET)?,
            smtp = self.smtp.url().replace("smtp://", "smtp://weir@"),
            password = write("smtp.secret", SMTP_PASSWORD)?,
            ca = self.smtp.ca_file().display(),
        ))
    }
}

/// All of it.
pub(crate) struct Stage {
    pub(crate) weir: Weir,
    props: Props,
}

impl Stage {
    /// Starts Weir on its first look: everything is fine.
    ///
    /// # Errors
    /// When it does not come up; the text has the end of its log.
    pub(crate) async fn open(
        props: Props,
        binary: &Path,
        args: &Args,
        screen: &Screen,
    ) -> Result<Stage> {
        screen.say("starting Weir …");
        let config = props.config(&args.language).await?;
        let weir = Weir::start(binary, props.dir.path(), &config).await?;
        time::wait_for("first look of Weir", SOON, || async {
            Ok(weir.text("/-/ready").await?.contains("weir is ready").then_some(()))
        })
        .await
        .with_context(|| weir.log_tail())?;
        let stage = Stage { weir, props };
        screen.say(&stage.playbill());
        Ok(stage)
    }

    fn playbill(&self) -> String {
        let jobs = self.jobs();
        format!(
            "
  Weir's page     {}
  Weir's metrics  {}
  Flink's page    {}/

  {:<15} stays healthy
  {:<15} meets a record it cannot parse: crashes, restarts, crashes …
  {:<15} runs, but its checkpoints fail
  {:<15} runs, but reads slower than its input grows
  {:<15} dies of its first failure; Weir may restart it

  Rules: the shipped ones, unedited, and one of the demo's own (a lag that grows for 30 s; the
  shipped rule takes 20 min to be sure). Shorter than the defaults: a look every 2 s (10 s),
  group_wait 1 s (30 s), group_interval 5 s (5 min), resolve_after 15 s (2 min).
  Whoever is told gets one Feishu card and one mail per message.
",
            self.weir.url("/"),
            self.weir.url("/metrics"),
            self.flink().rest().url(),
            jobs.healthy.name,
            jobs.crashing.name,
            jobs.stuck.name,
            jobs.lagging.name,
            jobs.dying.name,
        )
    }

    pub(crate) const fn flink(&self) -> &Flink {
        &self.props.flink
    }

    pub(crate) const fn jobs(&self) -> &Jobs {
        &self.props.jobs
    }

    pub(crate) const fn feishu(&self) -> &Feishu {
        &self.props.feishu
    }

    pub(crate) const fn smtp(&self) -> &Smtp {
        &self.props.smtp
    }

    /// Starts a dead job again, from its last checkpoint; its new id.
    pub(crate) async fn start_again(&self, job: &Job) -> Result<String> {
        let checkpoints = self.flink().rest().checkpoints(&job.id).await?;
        let path = checkpoints["latest"]["completed"]["external_path"].as_str();
        let spec = JobSpec { savepoint_path: path.map(str::to_owned), ..job.spec() };
        self.flink().submit(&spec).await
    }

    /// Ends everything in order: no process, no folder, no port is left.
    ///
    /// # Errors
    /// When a process does not end.
    pub(crate) async fn close(self, screen: &Screen) -> Result<()> {
        screen.say("\nstopping Weir, Flink and the mail server …");
        let weir = self.weir.stop().await;
        let Props { flink, smtp, feishu, dir, jobs: _ } = self.props;
        let flink = flink.stop().await;
        smtp.let_go(Duration::from_secs(5)).await;
        drop(feishu);
        dir.close().context("the demo's folder stays behind")?;
        weir.and(flink)
    }
}
