//! Real Flink on the YARN cluster, deployed by Flink's own client: sessions and application mode.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::super::flink_conf::{self, Version};
use super::super::job::{self, JobSpec};
use super::super::process::Leashed;
use super::super::rest::FlinkRest;
use super::super::zookeeper::ZooKeeper;
use super::super::{cache, download, time};
use super::{Yarn, conf};

const SESSION: &str = "org.apache.flink.yarn.cli.FlinkYarnSessionCli";
pub(super) const CLIENT: &str = "org.apache.flink.client.cli.CliFrontend";

/// Upload, localisation and two JVMs on cores shared with a compiler.
const DEPLOYED_WITHIN: Duration = Duration::from_mins(5);

/// Options of a stand-alone cluster that YARN decides itself.
const NOT_ON_YARN: [&str; 8] = [
    "jobmanager.rpc.address",
    "jobmanager.rpc.port",
    "rest.address",
    "rest.bind-address",
    "rest.port",
    "taskmanager.host",
    "io.tmp.dirs",
    "web.tmpdir",
];

/// One Flink cluster to deploy.
#[derive(Debug, Clone)]
pub(crate) struct FlinkApp {
    /// Flink's release.
    pub(crate) version: String,
    /// The application's name.
    pub(crate) name: String,
    /// The one job of application mode; none: a session.
    pub(crate) job: Option<JobSpec>,
    /// Per `TaskManager`, which come when a job wants them.
    pub(crate) slots: u32,
    /// Who submits it; none: whoever runs the test.
    pub(crate) user: Option<String>,
    /// Further Flink options, such as `yarn.tags` or `yarn.application.queue`, which win.
    pub(crate) conf: Vec<(String, String)>,
    /// Jars for all its processes beside Flink itself and its log.
    pub(crate) ship: Vec<PathBuf>,
    /// The client may end with an error once it has an application: it is to fail.
    pub(crate) may_fail: bool,
}

impl FlinkApp {
    /// A session of this name, of the release the tests use.
    pub(crate) fn session(name: &str) -> Self {
        Self {
            version: super::super::flink::release(super::super::flink::DEFAULT_VERSION),
            name: name.to_owned(),
            job: None,
            slots: 4,
            user: None,
            conf: Vec::new(),
            ship: Vec::new(),
            may_fail: false,
        }
    }

    /// The test job as an application, under the job's name.
    pub(crate) fn application(job: JobSpec) -> Self {
        let session = Self::session(&job.name);
        Self { slots: 1, job: Some(job), ..session }
    }

    /// The same with a second attempt that finds its job in this `ZooKeeper`.
    ///
    /// # Errors
    /// When the folder for what is too large for it cannot be made.
    pub(crate) fn with_failover(mut self, zookeeper: &ZooKeeper) -> Result<Self> {
        self.conf.extend(zookeeper.conf(&self.name)?);
        self.conf.push(("yarn.application-attempts".to_owned(), "2".to_owned()));
        Ok(self)
    }

    /// Writes Flink's configuration folder, and makes those for what the cluster writes.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(super) fn write_settings(
        &self,
        version: Version,
        lib: &Path,
        folder: &Path,
    ) -> Result<PathBuf> {
        for name in ["checkpoints", "savepoints", "staging"] {
            cache::create_dir(&folder.join(name))?;
        }
        let mut all = self.all_conf(version, lib, folder);
        let ship = [log_jars(lib)?, self.ship.clone()].concat();
        let ship: Vec<String> = ship.iter().map(|jar| jar.display().to_string()).collect();
        all.push(("yarn.ship-files".to_owned(), ship.join(";")));
        let settings = folder.join("conf");
        flink_conf::write(&settings, version, &all)?;
        Ok(settings)
    }

    /// `folder` is for what the cluster writes and may outlive.
    fn all_conf(&self, version: Version, lib: &Path, folder: &Path) -> Vec<(String, String)> {
        let mut all = flink_conf::cluster(version, folder, 0, 0);
        all.retain(|(key, _)| !NOT_ON_YARN.contains(&key.as_str()));
        let taskmanager = flink_conf::taskmanager("", self.slots);
        all.extend(taskmanager.into_iter().filter(|(key, _)| key != "taskmanager.resource-id"));
        let java = flink_conf::opens().collect::<Vec<_>>().join(" ");
        let java = format!("-XX:+UseSerialGC -XX:TieredStopAtLevel=1 {java}");
        let all_processes =
            if version >= Version(1, 18) { "env.java.opts.all" } else { "env.java.opts" };
        let dist = lib.join(format!("flink-dist-{}.jar", self.version));
        let text = |path: &Path| path.display().to_string();
        let mut own = vec![
            (all_processes, java),
            ("jobmanager.memory.process.size", "768m".to_owned()),
            ("jobmanager.memory.off-heap.size", "64m".to_owned()),
            ("jobmanager.memory.jvm-metaspace.size", "192m".to_owned()),
            ("jobmanager.memory.jvm-overhead.min", "64m".to_owned()),
            ("jobmanager.memory.jvm-overhead.max", "64m".to_owned()),
            ("classloader.check-leaked-classloader", "false".to_owned()),
            ("yarn.application.name", self.name.clone()),
            ("yarn.flink-dist-jar", text(&dist)),
            ("yarn.properties-file.location", text(folder)),
            ("yarn.staging-directory", format!("file://{}", text(&folder.join("staging")))),
        ];
        if let Some(job) = &self.job {
            own.push(("parallelism.default", job.parallelism.to_string()));
            all.extend(job.conf(version));
        }
        all.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
        all.extend_from_slice(&self.conf);
        all
    }
}

/// The jars without which Flink writes no log; of its libraries the test job needs no other.
fn log_jars(lib: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(lib).with_context(|| format!("no {}", lib.display()))?;
    let mut jars: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("log4j-")))
        .collect();
    jars.sort();
    Ok(jars)
}

impl Yarn {
    /// Deploys a Flink cluster with Flink's own client, and returns its application id when the
    /// `JobManager` has registered. A job of it may start later.
    ///
    /// # Errors
    /// When the client fails; with the end of what it and the containers printed.
    pub(crate) async fn deploy(&self, app: &FlinkApp) -> Result<String> {
        let version = Version::parse(&app.version)?;
        let lib = download::flink_lib(&app.version).await?;
        let number = self.submitted.fetch_add(1, Ordering::SeqCst);
        let folder = self.dir().join("flink").join(number.to_string());
        let settings = app.write_settings(version, &lib, &folder)?;
        let argv = self.client(app, version, &lib, &settings).await?;
        let mut env = self.env(conf::CLIENT)?;
        env.push(("FLINK_CONF_DIR".to_owned(), settings.display().to_string()));
        env.extend(app.user.iter().map(|user| ("HADOOP_USER_NAME".to_owned(), user.clone())));
        let log = self.dir().join("logs").join(format!("client-{number}.log"));
        let mut client = Leashed::spawn("Flink's client", &argv, &env, &log).await?;
        let end = client.finish(DEPLOYED_WITHIN).await;
        let text = std::fs::read(&log).unwrap_or_default();
        let id = application_id(&String::from_utf8_lossy(&text));
        let words = || {
            let containers = id.as_ref().map(|id| self.container_logs(id)).unwrap_or_default();
            format!("cannot deploy {}: {}\n{containers}", app.name, client.log_tail(40))
        };
        let status = end.with_context(words)?;
        ensure!(status.success() || (app.may_fail && id.is_some()), words());
        id.clone().with_context(words)
    }

    async fn client(
        &self,
        app: &FlinkApp,
        version: Version,
        lib: &Path,
        settings: &Path,
    ) -> Result<Vec<String>> {
        let mut argv = self.java(256);
        argv.push(format!("-Dlog4j.configurationFile={}/log4j.properties", settings.display()));
        let class_path = format!("{}/*:{}", lib.display(), self.class_path(conf::CLIENT));
        argv.extend(["-cp".to_owned(), class_path]);
        let Some(job) = &app.job else {
            argv.extend([SESSION.to_owned(), "--detached".to_owned()]);
            return Ok(argv);
        };
        let verb = if version >= Version(2, 0) { "run" } else { "run-application" };
        let words = [CLIENT, verb, "-t", "yarn-application", "-c", job::ENTRY_CLASS];
        argv.extend(words.map(str::to_owned));
        if let Some(path) = &job.savepoint_path {
            argv.extend(["-s".to_owned(), path.clone()]);
        }
        argv.push(job::jar(&app.version).await?.display().to_string());
        argv.extend(job.args());
        Ok(argv)
    }

    /// The REST API of an application's present `JobManager`, asked directly.
    ///
    /// # Errors
    /// When it has not registered.
    pub(crate) async fn flink_rest(&self, id: &str) -> Result<FlinkRest> {
        let app = self.rest(self.active().await?).app(id).await?;
        let address = app["amRPCAddress"].as_str().filter(|address| !address.is_empty());
        let address = address.with_context(|| format!("no amRPCAddress in {app}"))?;
        Ok(FlinkRest::new(&format!("http://{address}")))
    }

    /// Waits until an application is in one of these states, and returns all of it.
    ///
    /// # Errors
    /// When it is not within `limit`.
    pub(crate) async fn wait_for_app(
        &self,
        id: &str,
        states: &[&str],
        limit: Duration,
    ) -> Result<serde_json::Value> {
        let what = format!("{id} in {}", states.join(" or "));
        let waiting = time::wait_for(&what, limit, || async {
            let app = self.rest(self.active().await?).app(id).await?;
            let there = app["state"].as_str().is_some_and(|state| states.contains(&state));
            Ok(there.then_some(app))
        });
        waiting.await.with_context(|| self.container_logs(id))
    }
}

/// The last application id in what the client printed.
fn application_id(text: &str) -> Option<String> {
    const HEAD: &str = "application_";
    let (_, tail) = text.rsplit_once(HEAD)?;
    let number: String = tail.chars().take_while(|c| c.is_ascii_digit() || *c == '_').collect();
    let number = number.trim_end_matches('_');
    (!number.is_empty()).then(|| format!("{HEAD}{number}"))
}
