//! A real SQL Gateway beside a real Flink: Flink's own libraries and the gateway's jar.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::flink::Flink;
use super::flink_conf::{self as conf};
use super::maven::Jars;
use super::process::Leashed;
use super::{download, http, time};

/// Releases whose gateway is in the registry: 1.20.5's is not.
pub(crate) const RELEASES: [&str; 2] = ["1.17.2", "2.2.1"];

const MAIN: &str = "org.apache.flink.table.gateway.SqlGateway";
const UP_WITHIN: Duration = Duration::from_mins(2);

const JARS: [Jars; 2] = [
    Jars {
        name: "flink-sql-gateway-1.17.2",
        megabytes: 1,
        list: "9811b783c5744f41407ce8ebbe75362eec5cc4fe787d6c64aca454ec63593e50  \
               org.apache.flink:flink-sql-gateway:1.17.2",
    },
    Jars {
        name: "flink-sql-gateway-2.2.1",
        megabytes: 1,
        list: "fde5f0f6e868c84de01312a4922404f9571c68a6d879e91fc602bbafa5d735aa  \
               org.apache.flink:flink-sql-gateway:2.2.1",
    },
];

/// A running gateway. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct SqlGateway {
    url: String,
    process: Leashed,
    _temp: TempDir,
}

impl SqlGateway {
    /// Starts one that submits to this cluster, which is of one of [`RELEASES`].
    ///
    /// # Errors
    /// When the download fails or it does not come up.
    pub(crate) async fn start(flink: &Flink) -> Result<Self> {
        let of_release = RELEASES.iter().position(|release| *release == flink.version());
        let jars =
            &JARS[of_release.with_context(|| format!("no gateway of {}", flink.version()))?];
        let (jar, lib) = (jars.folder().await?, download::flink_lib(flink.version()).await?);
        let temp = tempfile::Builder::new().prefix("weir-sql-gateway-").tempdir()?;
        let folder = temp.path().join("conf");
        let port = http::free_port()?;
        let url = format!("http://127.0.0.1:{port}");
        let rest = flink.rest().url().rsplit(':').next().unwrap_or_default().to_owned();
        let here = || "127.0.0.1".to_owned();
        let pairs = [
            ("jobmanager.rpc.address", here()),
            ("rest.address", here()),
            ("rest.port", rest),
            ("sql-gateway.endpoint.rest.address", here()),
            ("sql-gateway.endpoint.rest.bind-address", here()),
            ("sql-gateway.endpoint.rest.port", port.to_string()),
        ];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value));
        conf::write(&folder, flink.release(), &pairs)?;
        let mut argv = vec!["java".to_owned(), "-Xmx400m".to_owned()];
        argv.extend(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(str::to_owned));
        argv.extend(conf::opens());
        let shown = folder.display();
        argv.push(format!("-Dlog4j.configurationFile={shown}/log4j.properties"));
        argv.push("-cp".to_owned());
        argv.push(format!("{}/*:{}/*", lib.display(), jar.display()));
        argv.push(MAIN.to_owned());
        let env = [
            ("FLINK_CONF_DIR".to_owned(), shown.to_string()),
            ("FLINK_LIB_DIR".to_owned(), lib.display().to_string()),
        ];
        let log = temp.path().join("log");
        let process = Leashed::spawn("SQL Gateway", &argv, &env, &log).await?;
        let gateway = Self { url, process, _temp: temp };
        let client = http::client();
        let up = time::wait_for("SQL Gateway", UP_WITHIN, || async {
            let answer = client.get(format!("{}/api_versions", gateway.url)).send().await?;
            Ok(answer.status().is_success().then_some(()))
        });
        up.await.with_context(|| gateway.process.log_tail(30))?;
        Ok(gateway)
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(mut self) -> Result<()> {
        self.process.kill9_child().await
    }
}
