//! A real Kubernetes API server with its etcd, and nothing else: no node, no controller.
//!
//! What kubelets, controllers and operators would write, the test writes. Rights are real.

mod crds;
pub(crate) mod objects;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::debian::Package;
use super::go::Program;
use super::process::Leashed;
use super::{http, time};

const ETCD: Package = Package {
    name: "etcd-server",
    also: &[],
    folder: "etcd",
    megabytes: 9,
    pinned: &[(
        "etcd-server_3.4.23-4+b4_amd64.deb",
        "3a9445d4560ad6de1c375756b2a17d97713df44cbd20a658c871fe108af7ef5d",
    )],
};

/// Its sources: a program of ours around the module `k8s.io/kubernetes`, whose digests `go.sum` has.
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "main.go"];
/// What it says it is; the version in `go.mod`.
const VERSION: &str = "v1.34.4";

const UP_WITHIN: Duration = Duration::from_mins(2);

/// The token of somebody who may do everything.
pub(crate) const ADMIN: &str = "admin-token";

/// A running API server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Kube {
    program: PathBuf,
    etcd: Leashed,
    etcd_url: String,
    port: u16,
    process: Option<Leashed>,
    client: Option<reqwest::Client>,
    temp: TempDir,
}

impl Kube {
    /// Starts one without objects. Besides [`ADMIN`] these tokens are good, each for a user who may
    /// do nothing yet.
    ///
    /// # Errors
    /// When a tool is missing, a download fails, it does not compile or does not come up.
    pub(crate) async fn start(users: &[(&str, &str)]) -> Result<Self> {
        let program = program().await?;
        let unpacked = ETCD.unpacked(|_| Ok(())).await?;
        let temp = tempfile::Builder::new().prefix("weir-kube-").tempdir()?;
        let mut tokens = format!("{ADMIN},admin,admin,system:masters\n");
        for (token, user) in users {
            writeln!(tokens, "{token},{user},{user}")?;
        }
        std::fs::write(temp.path().join("tokens.csv"), tokens)?;
        let [port, clients, peers] = http::free_ports::<3>()?;
        let etcd_url = format!("http://127.0.0.1:{clients}");
        let etcd = start_etcd(&unpacked, temp.path(), &etcd_url, peers).await?;
        let mut kube = Self { program, etcd, etcd_url, port, process: None, client: None, temp };
        kube.start_again().await?;
        Ok(kube)
    }

    /// Starts it where it was, with the objects it had.
    ///
    /// # Errors
    /// When it runs or does not come up.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the API server is running");
        let argv = [
            self.program.display().to_string(),
            self.temp.path().display().to_string(),
            self.etcd_url.clone(),
            self.port.to_string(),
        ];
        let log = self.temp.path().join("apiserver.log");
        self.process = Some(Leashed::spawn("kube-apiserver", &argv, &[], &log).await?);
        let up = self.wait_until_ready().await;
        let tail = self.process.as_ref().map(|process| process.log_tail(40)).unwrap_or_default();
        self.client = Some(up.context(tail)?);
        Ok(())
    }

    async fn wait_until_ready(&self) -> Result<reqwest::Client> {
        let authority = self.authority();
        time::wait_for("API server", UP_WITHIN, || async {
            // It writes its certificate before it listens.
            let client = http::client_trusting(&std::fs::read(&authority)?)?;
            let request = client.get(format!("{}/readyz", self.url())).bearer_auth(ADMIN);
            let ready = request.send().await?.status().is_success();
            Ok(ready.then_some(client))
        })
        .await
    }

    /// SIGKILL for the API server; etcd keeps its objects.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(&mut self) -> Result<()> {
        self.process.take().context("the API server is not running")?.kill9_child().await
    }

    /// Ends both in order.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            process.stop().await?;
        }
        self.etcd.stop().await?;
        Ok(())
    }

    /// Its release, as it says itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn version(&self) -> Result<String> {
        let answer = self.admin(Method::GET, "/version", None).await?;
        let version = answer["gitVersion"].as_str().context("no gitVersion")?;
        Ok(version.trim_start_matches('v').to_owned())
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The file with the certificate of who signed its own.
    pub(crate) fn authority(&self) -> PathBuf {
        self.temp.path().join("apiserver.crt")
    }

    /// Writes a kubeconfig for one token and returns its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn kubeconfig(&self, token: &str) -> Result<PathBuf> {
        let path = self.temp.path().join(format!("kubeconfig-{token}"));
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "testbed",
            "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": token } }],
            "clusters": [{ "name": "testbed", "cluster": {
                "server": self.url(), "certificate-authority": self.authority() } }],
            "users": [{ "name": token, "user": { "token": token } }],
        });
        std::fs::write(&path, config.to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Sends a request as whoever has this token; returns the status and the answer.
    ///
    /// # Errors
    /// When there is no answer, or none in JSON.
    pub(crate) async fn ask(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let client = self.client.as_ref().context("the API server was never up")?;
        // The only PATCH the tests need is a merge.
        let media = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let mut request = client.request(method, format!("{}{path}", self.url()));
        request = request.bearer_auth(token).header("content-type", media);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await.with_context(|| format!("no answer for {path}"))?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let value = serde_json::from_str(&text).with_context(|| format!("{path}: {text}"))?;
        Ok((status, value))
    }

    /// The same as the administrator, where anything but success is an error.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) async fn admin(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let (status, value) = self.ask(ADMIN, method, path, body).await?;
        ensure!((200..300).contains(&status), "{path} answered {status}: {value}");
        Ok(value)
    }
}

async fn start_etcd(unpacked: &Path, folder: &Path, url: &str, peers: u16) -> Result<Leashed> {
    let peers = format!("http://127.0.0.1:{peers}");
    let argv = [
        unpacked.join("usr").join("bin").join("etcd").display().to_string(),
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peers}"),
        format!("--initial-advertise-peer-urls={peers}"),
        format!("--initial-cluster=default={peers}"),
    ];
    let etcd = Leashed::spawn("etcd", &argv, &[], &folder.join("etcd.log")).await?;
    let client = http::client();
    let up = time::wait_for("etcd", UP_WITHIN, || async {
        let answer = client.get(format!("{url}/health")).send().await?;
        Ok(answer.status().is_success().then_some(()))
    });
    up.await.with_context(|| etcd.log_tail(20))?;
    Ok(etcd)
}

/// The API server's program, compiled on first use (minutes, and 2 GB of memory).
async fn program() -> Result<PathBuf> {
    let program = Program {
        name: "kube-apiserver",
        folder: "kube",
        files: &SOURCES,
        package: ".",
        linker: &version_flags()?,
        note: &format!("{VERSION}, once, for many minutes"),
    };
    program.compiled().await
}

fn version_flags() -> Result<String> {
    let mut parts = VERSION.trim_start_matches('v').split('.');
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
        bail!("{VERSION} is no version");
    };
    let package = "k8s.io/component-base/version";
    Ok(format!(
        "-X {package}.gitVersion={VERSION} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    ))
}
