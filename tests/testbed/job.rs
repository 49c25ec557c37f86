//! The test job: compiled once per Flink release, described to Flink per submission.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::control::Control;
use super::flink_conf::Version;
use super::{cache, download, python, tools};

pub(crate) const ENTRY_CLASS: &str = "com.example.orders.TestJob";

/// What Flink does when the job fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestartStrategy {
    /// What this release of Flink does when nothing is said.
    Flinks,
    None,
    FixedDelay {
        attempts: u32,
        delay: Duration,
    },
    FailureRate {
        max: u32,
        interval: Duration,
        delay: Duration,
    },
    ExponentialDelay {
        initial: Duration,
        max: Duration,
        reset_after: Duration,
    },
}

impl RestartStrategy {
    fn conf(self, version: Version) -> Vec<(String, String)> {
        let type_key =
            if version >= Version(1, 17) { "restart-strategy.type" } else { "restart-strategy" };
        let (name, options) = match self {
            Self::Flinks => return Vec::new(),
            Self::None => ("none", Vec::new()),
            Self::FixedDelay { attempts, delay } => {
                ("fixed-delay", vec![("attempts", attempts.to_string()), ("delay", ms(delay))])
            }
            Self::FailureRate { max, interval, delay } => (
                "failure-rate",
                vec![
                    ("max-failures-per-interval", max.to_string()),
                    ("failure-rate-interval", ms(interval)),
                    ("delay", ms(delay)),
                ],
            ),
            Self::ExponentialDelay { initial, max, reset_after } => (
                "exponential-delay",
                vec![
                    ("initial-backoff", ms(initial)),
                    ("max-backoff", ms(max)),
                    ("reset-backoff-threshold", ms(reset_after)),
                ],
            ),
        };
        let mut conf = vec![(type_key.to_owned(), name.to_owned())];
        for (option, value) in options {
            conf.push((format!("restart-strategy.{name}.{option}"), value));
        }
        conf
    }
}

/// One submission of the test job.
#[derive(Debug, Clone)]
pub(crate) struct JobSpec {
    pub(crate) name: String,
    pub(crate) control: Control,
    pub(crate) parallelism: u32,
    pub(crate) records_per_second: u32,
    pub(crate) restart: RestartStrategy,
    /// None: no checkpoints.
    pub(crate) checkpoint_interval: Option<Duration>,
    /// A checkpoint or savepoint to start from.
    pub(crate) savepoint_path: Option<String>,
    /// A job id of the caller's choice, 32 hex digits; Flink refuses one it has seen.
    pub(crate) job_id: Option<String>,
    /// The source says that it is bounded; it still ends only on command.
    pub(crate) bounded: bool,
    /// Further Flink options, which win.
    pub(crate) conf: Vec<(String, String)>,
}

impl JobSpec {
    /// A healthy little job: one subtask, a checkpoint a second, five restarts.
    pub(crate) fn new(name: &str, control: &Control) -> Self {
        Self {
            name: name.to_owned(),
            control: control.clone(),
            parallelism: 1,
            records_per_second: 10,
            restart: RestartStrategy::FixedDelay { attempts: 5, delay: Duration::from_secs(1) },
            checkpoint_interval: Some(Duration::from_secs(1)),
            savepoint_path: None,
            job_id: None,
            bounded: false,
            conf: Vec::new(),
        }
    }

    /// The program's arguments.
    pub(crate) fn args(&self) -> Vec<String> {
        let mut args = vec![
            "--name".to_owned(),
            self.name.clone(),
            "--control".to_owned(),
            self.control.folder().display().to_string(),
            "--rate".to_owned(),
            self.records_per_second.to_string(),
        ];
        if self.bounded {
            args.extend(["--bounded".to_owned(), "true".to_owned()]);
        }
        args
    }

    /// Its Flink options.
    pub(crate) fn conf(&self, version: Version) -> Vec<(String, String)> {
        let mut conf = self.restart.conf(version);
        if let Some(interval) = self.checkpoint_interval {
            let prefix = "execution.checkpointing";
            conf.push((format!("{prefix}.interval"), ms(interval)));
            // A failed checkpoint is an event of its own here, never a reason to restart.
            conf.push((format!("{prefix}.tolerable-failed-checkpoints"), "1000000".to_owned()));
            let retention = format!("{prefix}.externalized-checkpoint-retention");
            conf.push((retention, "RETAIN_ON_CANCELLATION".to_owned()));
        }
        conf.extend(self.conf.iter().cloned());
        conf
    }

    /// The body of `POST /jars/:id/run`.
    pub(crate) fn run_request(&self, version: Version) -> Value {
        let mut args = self.args();
        let mut request = json!({ "entryClass": ENTRY_CLASS, "parallelism": self.parallelism });
        let conf = self.conf(version);
        if version >= Version(1, 17) {
            let conf: Map<String, Value> =
                conf.into_iter().map(|(key, value)| (key, Value::from(value))).collect();
            request["flinkConfiguration"] = Value::from(conf);
        } else {
            // Before 1.17 the request has no place for it; the program takes it as arguments.
            for (key, value) in conf {
                args.extend(["--conf".to_owned(), format!("{key}={value}")]);
            }
        }
        request["programArgsList"] = Value::from(args);
        if let Some(path) = &self.savepoint_path {
            request["savepointPath"] = Value::from(path.as_str());
        }
        if let Some(job_id) = &self.job_id {
            request["jobId"] = Value::from(job_id.as_str());
        }
        request
    }
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// The test job's jar for a Flink release, compiled on first use.
///
/// # Errors
/// When a tool is missing or the job does not compile.
pub(crate) async fn jar(version: &str) -> Result<PathBuf> {
    let sources = sources()?;
    let mut all = Vec::new();
    for source in &sources {
        all.extend(std::fs::read(source).with_context(|| format!("{}", source.display()))?);
    }
    let name = format!("{version}-{}", python::short_hash(&all));
    let place = cache::root().join("jobs").join(&name);
    let jar = place.join("orders.jar");
    if jar.is_file() {
        return Ok(jar);
    }
    let lib = download::flink_lib(version).await?;
    let _lock = cache::lock(&format!("job-{name}")).await?;
    if jar.is_file() {
        return Ok(jar);
    }
    tools::require(&["javac", "jar"])?;
    let building = cache::root().join("jobs").join(format!("{name}.partial"));
    cache::remove_dir(&building)?;
    let classes = building.join("classes");
    cache::create_dir(&classes)?;
    compile(&format!("{}/*", lib.display()), &sources, &classes).await?;
    // The job is compiled against this class and has to do without it.
    let missing = classes.join("com/example/orders/MissingConnector.class");
    std::fs::remove_file(&missing)
        .with_context(|| format!("cannot remove {}", missing.display()))?;
    let classes_arg = classes.display().to_string();
    let made = building.join("orders.jar").display().to_string();
    tools::run("jar", &["cfe", &made, ENTRY_CLASS, "-C", &classes_arg, "."]).await?;
    cache::remove_dir(&classes)?;
    cache::publish(&building, &place)?;
    Ok(jar)
}

/// Compiles a job's sources against what it will find on its class path.
///
/// # Errors
/// When they do not compile.
pub(super) async fn compile(class_path: &str, sources: &[PathBuf], classes: &Path) -> Result<()> {
    let classes = classes.display().to_string();
    let mut args: Vec<String> =
        ["--release", "11", "-proc:none", "-cp", class_path, "-d", &classes]
            .iter()
            .map(|&arg| arg.to_owned())
            .collect();
    args.extend(sources.iter().map(|source| source.display().to_string()));
    tools::run("javac", &args).await.context("the test job does not compile")?;
    Ok(())
}

fn sources() -> Result<Vec<PathBuf>> {
    let folder = cache::source_file("jobs");
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut sources: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "java"))
        .collect();
    sources.sort();
    Ok(sources)
}
