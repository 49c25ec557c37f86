//! A real store that speaks S3's protocol, strictly: signatures, regions and rights are checked.
//! Buckets are folders, and what lies in them are objects.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::go::Program;
use super::process::Leashed;
use super::{http, time, tools};

/// As `go.mod` has it.
pub(crate) const VERSION: &str = "1.8.0";
/// The only region it is in.
pub(crate) const REGION: &str = "eu-west-1";
/// Access key and secret of its owner.
pub(crate) const OWNER: (&str, &str) = ("weir-owner", "the-owners-secret");
/// The same of somebody without any rights.
pub(crate) const STRANGER: (&str, &str) = ("weir-stranger", "the-strangers-secret");

const PROGRAM: Program<'static> = Program {
    name: "versitygw",
    folder: "s3",
    files: &["go.mod", "go.sum"],
    package: "github.com/versity/versitygw/cmd/versitygw",
    linker: "",
    note: "1.8.0, once, for some minutes",
};
const UP_WITHIN: Duration = Duration::from_secs(30);

/// A running store. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct S3 {
    port: u16,
    process: Leashed,
    temp: TempDir,
}

impl S3 {
    /// Starts one with an empty bucket of this name.
    ///
    /// # Errors
    /// When it does not compile or does not come up.
    pub(crate) async fn start(bucket: &str) -> Result<Self> {
        let program = PROGRAM.compiled().await?.display().to_string();
        let temp = tempfile::Builder::new().prefix("weir-s3-").tempdir()?;
        let folder = |name: &str| temp.path().join(name).display().to_string();
        std::fs::create_dir_all(temp.path().join("objects").join(bucket))?;
        std::fs::create_dir(temp.path().join("users"))?;
        let port = http::free_port()?;
        let address = format!("127.0.0.1:{port}");
        let argv = [
            program.as_str(),
            "--port",
            &address,
            "--region",
            REGION,
            "--iam-dir",
            &folder("users"),
            "--quiet",
            "posix",
            "--nometa",
            &folder("objects"),
        ]
        .map(str::to_owned);
        let env = [("ROOT_ACCESS_KEY_ID", OWNER.0), ("ROOT_SECRET_ACCESS_KEY", OWNER.1)];
        let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let process = Leashed::spawn("S3", &argv, &env, &temp.path().join("log")).await?;
        let s3 = Self { port, process, temp };
        let client = http::client();
        let up = time::wait_for("S3", UP_WITHIN, || async {
            let answer = client.get(s3.endpoint()).send().await?;
            Ok((answer.status() == 403).then_some(()))
        });
        up.await.with_context(|| s3.process.log_tail(20))?;
        let endpoint = s3.endpoint();
        let admin = ["admin", "-a", OWNER.0, "-s", OWNER.1, "-r", REGION, "--er", &endpoint];
        let user = ["create-user", "-a", STRANGER.0, "-s", STRANGER.1, "-r", "user"];
        tools::run(&program, &[&admin[..], &user[..]].concat()).await?;
        Ok(s3)
    }

    /// Its address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes an object.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.temp.path().join("objects").join(bucket).join(key);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it is not running.
    pub(crate) async fn kill9(mut self) -> Result<()> {
        self.process.kill9_child().await
    }
}
