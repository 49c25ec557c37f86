//! A real SMTP server (`smtp_sink.py`, aiosmtpd) that keeps what it gets.
//!
//! It demands what a company's relay demands: TLS from a private CA, a login, and it can refuse
//! for a while, for good, or lose the line after it took the mail.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::inbox::Inbox;
use super::python::python_with;
use super::smtp_env::{leashed, works};

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SmtpTls {
    /// No TLS at all.
    #[default]
    Plain,
    /// TLS by STARTTLS, demanded before anything else.
    StartTls,
    /// TLS from the first byte.
    Implicit,
}

impl SmtpTls {
    fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::StartTls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

/// What the server demands.
#[derive(Clone, Debug, Default)]
pub struct SmtpOptions {
    /// Protection of the connection.
    pub tls: SmtpTls,
    /// User and password; a login is demanded when set. Plain text takes logins too.
    pub login: Option<(String, String)>,
}

/// What the server does to a mail it would otherwise take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// Answers this code at RCPT (450 and 550 are the usual ones).
    AtRecipient(u16),
    /// Answers this code at the end of DATA.
    AtData(u16),
    /// Takes and keeps the mail, then closes the connection instead of answering.
    AcceptThenDrop,
    /// Closes the connection instead of taking the mail.
    Drop,
}

/// One mail the server took.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// The envelope's sender.
    #[serde(rename = "mail_from")]
    pub sender: String,
    /// The envelope's recipients.
    #[serde(rename = "rcpt_tos")]
    pub recipients: Vec<String>,
    /// The headers, names in lower case, values unfolded and decoded; of repeated ones the first.
    pub headers: HashMap<String, String>,
    /// The first text/plain part, decoded.
    pub text: Option<String>,
    /// The first text/html part, decoded.
    pub html: Option<String>,
    /// The message as it came over the wire.
    pub raw_file: PathBuf,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The login it came with.
    pub user: Option<String>,
}

impl Mail {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Something the server refused.
#[derive(Clone, Debug, Deserialize)]
pub struct Refusal {
    /// `auth`, `rcpt`, `data` or `drop`.
    pub stage: String,
    /// The SMTP code it answered; 0 when it closed the connection.
    pub code: u16,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Mail(Mail),
    Refused(Refusal),
}

/// The running server.
pub struct Smtp {
    port: u16,
    options: SmtpOptions,
    folder: TempDir,
    faults: AtomicU64,
    mails: Arc<Inbox<Mail>>,
    refusals: Arc<Inbox<Refusal>>,
    child: Child,
}

impl Smtp {
    /// Starts the server on a free loopback port; the first time ever this installs packages.
    pub async fn start(options: SmtpOptions) -> anyhow::Result<Self> {
        let openssl = works("openssl", "version").await;
        let packages: &[&str] =
            if openssl { &["aiosmtpd==1.4.6"] } else { &["aiosmtpd==1.4.6", "trustme==1.2.1"] };
        let python = python_with(packages).await?;
        let folder = tempfile::Builder::new().prefix("weir-smtp-").tempdir()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/smtp_sink.py");
        let mut command = Command::new(python);
        command.args(["-W", "ignore"]).arg(script).arg("--folder").arg(folder.path());
        command.args(["--tls", options.tls.word()]);
        if let Some((user, password)) = &options.login {
            command.args(["--user", user, "--password", password]);
        }
        let mut child = leashed(&mut command)?;
        let stdout = child.stdout.take().context("the child's output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        let port = ready
            .context("the mail server did not start in 30 s")??
            .context("the mail server ended at once")?
            .parse()
            .context("the mail server's port")?;
        let (mails, refusals) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
        let (to_mails, to_refusals) = (mails.clone(), refusals.clone());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line).expect("the mail server prints events") {
                    Event::Mail(mail) => to_mails.push(mail),
                    Event::Refused(refusal) => to_refusals.push(refusal),
                }
            }
        });
        Ok(Self { port, options, folder, faults: AtomicU64::new(0), mails, refusals, child })
    }

    /// The port on 127.0.0.1; the certificate names `localhost` and 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address to configure, without the login: `smtp://` (with `?tls=required` for STARTTLS)
    /// or `smtps://`.
    pub fn url(&self) -> String {
        let port = self.port;
        match self.options.tls {
            SmtpTls::Plain => format!("smtp://localhost:{port}"),
            SmtpTls::StartTls => format!("smtp://localhost:{port}?tls=required"),
            SmtpTls::Implicit => format!("smtps://localhost:{port}"),
        }
    }

    /// The CA that signed the server's certificate, PEM. Not there in plain mode.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// One JSON line per mail, the same as [`Smtp::mails`], for readers in another process.
    pub fn mails_file(&self) -> PathBuf {
        self.folder.path().join("mails.jsonl")
    }

    /// The next `n` mails meet `fault`; replaces what was planned before.
    pub fn fail_next(&self, n: u32, fault: MailFault) {
        self.plan(n, 1, fault);
    }

    /// Every `nth` mail meets `fault` from now on; replaces what was planned before.
    pub fn fail_every(&self, nth: u32, fault: MailFault) {
        self.plan(u32::MAX, nth, fault);
    }

    fn plan(&self, n: u32, nth: u32, fault: MailFault) {
        let (stage, code) = match fault {
            MailFault::AtRecipient(code) => ("rcpt", code),
            MailFault::AtData(code) => ("data", code),
            MailFault::AcceptThenDrop => ("accept_then_drop", 0),
            MailFault::Drop => ("drop", 0),
        };
        let id = self.faults.fetch_add(1, Ordering::SeqCst) + 1;
        let plan = serde_json::json!({
            "id": id, "count": n, "every": nth, "stage": stage, "code": code,
        });
        self.put("control.json", &plan);
    }

    /// These recipients are answered with these codes at RCPT until the next call; everybody else is
    /// taken.
    pub fn refuse(&self, recipients: &[(&str, u16)]) {
        let codes: HashMap<&str, u16> = recipients.iter().copied().collect();
        self.put("recipients.json", &serde_json::json!(codes));
    }

    fn put(&self, name: &str, content: &serde_json::Value) {
        let path = self.folder.path().join(name);
        let aside = path.with_extension("tmp");
        std::fs::write(&aside, content.to_string()).expect("the mail server's folder is writable");
        std::fs::rename(&aside, &path).expect("the mail server's folder is writable");
    }

    /// Lets go of the leash, as a test that is killed does; whether the server ended by itself.
    pub async fn let_go(mut self, deadline: Duration) -> bool {
        drop(self.child.stdin.take());
        let end = tokio::time::timeout(deadline, self.child.wait()).await;
        end.is_ok_and(|status| status.is_ok_and(|s| s.success()))
    }

    /// Every mail taken, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.all()
    }

    /// Everything refused, in order.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.refusals.all()
    }

    /// The first mail, present or to come, that `wanted` accepts.
    pub async fn wait_for(
        &self,
        wanted: impl FnMut(&Mail) -> bool,
        deadline: Duration,
    ) -> Option<Mail> {
        self.mails.wait_for(wanted, deadline).await
    }

    /// The first refusal, past or to come, that `wanted` accepts.
    pub async fn wait_for_refusal(
        &self,
        wanted: impl FnMut(&Refusal) -> bool,
        deadline: Duration,
    ) -> Option<Refusal> {
        self.refusals.wait_for(wanted, deadline).await
    }
}
