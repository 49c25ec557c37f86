//! The SMTP server: where it is, how to encrypt, and what its refusals mean.

use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, extension::ClientId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::SendOutcome;
use crate::notify::channels::BuildError;
use crate::notify::channels::secret::Secret;

/// Encryption of `smtp://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// STARTTLS or nothing is sent.
    Required,
    /// STARTTLS where the server offers it; anyone on the way can take the offer out.
    Opportunistic,
    /// In the clear, password included: for a relay on this machine.
    None,
}

/// Where mails are handed over.
pub(super) struct Server {
    pub(super) url: Secret,
    pub(super) tls: Option<TlsMode>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeout: Duration,
}

/// What the address says.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    implicit: bool,
    mode: TlsMode,
    host: String,
    port: u16,
    username: Option<String>,
    password: Option<String>,
}

fn parse(url: &str, configured: Option<TlsMode>) -> Result<Target, BuildError> {
    let bad = |what: &str| BuildError(format!("`smtp_url` {what} (such as smtps://user@host:465)"));
    let url = reqwest::Url::parse(url).map_err(|_| bad("is no address"))?;
    let implicit = match url.scheme() {
        "smtps" => true,
        "smtp" => false,
        _ => return Err(bad("does not begin with smtp:// or smtps://")),
    };
    let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| bad("names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut mode = configured;
    for (key, value) in url.query_pairs() {
        let known = match (key.as_ref(), value.as_ref()) {
            ("tls", "required") => TlsMode::Required,
            ("tls", "opportunistic") => TlsMode::Opportunistic,
            ("tls", "none") => TlsMode::None,
            _ => return Err(bad("takes only ?tls=required, opportunistic or none")),
        };
        mode.get_or_insert(known);
    }
    if implicit && !matches!(mode, None | Some(TlsMode::Required)) {
        return Err(bad("is smtps, which is always encrypted: take smtp:// for anything else"));
    }
    let mode = mode.unwrap_or(TlsMode::Required);
    let port = url.port().unwrap_or(match (implicit, mode) {
        (true, _) => 465,
        (false, TlsMode::Required) => 587,
        (false, _) => 25,
    });
    let username = (!url.username().is_empty()).then(|| decode(url.username()));
    Ok(Target { implicit, mode, host, port, username, password: url.password().map(decode) })
}

/// Percent-decoding; what is no valid escape stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Server {
    /// Everything that can be wrong without the network.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        parse(&self.url.read_plain()?, self.tls)?;
        if self.ca_file.is_some() {
            self.tls_parameters("localhost")?;
        }
        if let Some(password) = &self.password {
            password.read()?;
        }
        Ok(())
    }

    fn tls_parameters(&self, host: &str) -> Result<TlsParameters, BuildError> {
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(path) = &self.ca_file {
            let shown = path.display();
            let pem = std::fs::read(path)
                .map_err(|error| BuildError(format!("{shown} cannot be read: {error}")))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|_| BuildError(format!("{shown} holds no PEM certificate")))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|error| BuildError(format!("TLS cannot be set up: {error}")))
    }

    /// The way there, with the secrets as they are now.
    pub(super) fn way(&self) -> Result<Way, BuildError> {
        crate::http::install_tls();
        let target = parse(&self.url.read_plain()?, self.tls)?;
        let tls = match (target.implicit, target.mode) {
            (true, _) => Tls::Wrapper(self.tls_parameters(&target.host)?),
            (false, TlsMode::Required) => Tls::Required(self.tls_parameters(&target.host)?),
            (false, TlsMode::Opportunistic) => {
                Tls::Opportunistic(self.tls_parameters(&target.host)?)
            }
            (false, TlsMode::None) => Tls::None,
        };
        let password = self.password.as_ref().map(Secret::read_plain).transpose()?;
        let username = self.username.clone().or(target.username);
        let login = username.zip(password.or(target.password));
        Ok(Way {
            host: target.host,
            port: target.port,
            tls,
            login: login.map(|(username, password)| Credentials::new(username, password)),
            timeout: self.timeout,
        })
    }
}

/// The way to the server.
pub(super) struct Way {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Credentials>,
    timeout: Duration,
}

impl Way {
    /// A connection that is encrypted and logged in as it has to be.
    pub(super) async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let own = ClientId::default();
        let wrapper = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let server = (self.host.as_str(), self.port);
        let timeout = Some(self.timeout);
        let mut server =
            AsyncSmtpConnection::connect_tokio1(server, timeout, &own, wrapper, None).await?;
        match &self.tls {
            Tls::Required(parameters) => server.starttls(parameters.clone(), &own).await?,
            Tls::Opportunistic(parameters) if server.can_starttls() => {
                server.starttls(parameters.clone(), &own).await?;
            }
            _ => {}
        }
        if let Some(login) = &self.login {
            server.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(server)
    }
}

/// How sending a mail failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// 4xx.
    Transient(u16),
    /// 5xx.
    Permanent(u16),
    Tls,
    /// The server does not offer what we need.
    Client,
    Network,
}

impl Failure {
    /// From the library's error.
    pub(super) fn of(error: &smtp::Error) -> Failure {
        let code = error.status().map_or(0, u16::from);
        if error.is_permanent() {
            Failure::Permanent(code)
        } else if error.is_transient() {
            Failure::Transient(code)
        } else if error.is_tls() {
            Failure::Tls
        } else if error.is_client() {
            Failure::Client
        } else {
            Failure::Network
        }
    }
}

/// What a failure means; `attempts` counts this one, `text` is what was said.
pub(super) fn classify(failure: Failure, attempts: u32, text: &str) -> SendOutcome {
    let retry = |error: String| SendOutcome::Retry { after_ms: None, error };
    let reject = |hint: &str| SendOutcome::Rejected { error: format!("{text} ({hint})") };
    match failure {
        Failure::Transient(_) | Failure::Network => retry(text.to_owned()),
        // The password may just have been rotated; it is read again for the next attempt.
        Failure::Permanent(534 | 535) if attempts <= 1 => retry(text.to_owned()),
        Failure::Permanent(530 | 534 | 535 | 538) => {
            reject("the server refused the login: check `username` and `password`")
        }
        Failure::Permanent(550 | 551 | 553) => {
            reject("the server refused an address: check `from` and `to`")
        }
        Failure::Permanent(552) => reject("the mail or the mailbox is too big for the server"),
        Failure::Permanent(554) => reject("the server refused the mail: it may not relay for us"),
        Failure::Permanent(_) => reject("the server refused the mail"),
        Failure::Tls => retry(format!(
            "{text} (check `ca_file`, the server's name, and smtps:// against smtp://)"
        )),
        Failure::Client => reject(
            "the server does not offer what is needed: STARTTLS (else `tls: none`), or the login",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_how_to_encrypt() {
        let short =
            |url: &str, tls| parse(url, tls).map(|t| (t.implicit, t.mode, t.port)).map_err(|e| e.0);
        assert_eq!(short("smtps://mail", None), Ok((true, TlsMode::Required, 465)));
        assert_eq!(short("smtp://mail", None), Ok((false, TlsMode::Required, 587)));
        assert_eq!(short("smtp://mail:2525", None), Ok((false, TlsMode::Required, 2525)));
        assert_eq!(short("smtp://mail?tls=none", None), Ok((false, TlsMode::None, 25)));
        assert_eq!(
            short("smtp://mail", Some(TlsMode::Opportunistic)),
            Ok((false, TlsMode::Opportunistic, 25))
        );
        for bad in ["mail", "http://mail", "smtp://mail?tls=maybe", "smtps://mail?tls=none"] {
            assert!(short(bad, None).is_err(), "{bad}");
        }
        let target = parse("smtps://weir%40x:p%2Fw%@[::1]", None).unwrap();
        assert_eq!(target.username.as_deref(), Some("weir@x"));
        assert_eq!(target.password.as_deref(), Some("p/w%"));
        assert_eq!(target.host, "::1");
    }

    #[test]
    fn refusals_have_a_class_and_a_way_out() {
        let class = |failure, attempts| match classify(failure, attempts, "said") {
            SendOutcome::Delivered => "delivered".to_owned(),
            SendOutcome::Retry { error, .. } => format!("retry {error}"),
            SendOutcome::Rejected { error } => format!("rejected {error}"),
            other => panic!("no edits here: {other:?}"),
        };
        for (failure, attempts, expected) in [
            (Failure::Network, 1, "retry said"),
            (Failure::Transient(421), 9, "retry said"),
            (Failure::Transient(454), 1, "retry said"),
            (Failure::Permanent(535), 1, "retry said"),
            (Failure::Permanent(535), 2, "rejected said (the server refused the login"),
            (Failure::Permanent(530), 1, "rejected said (the server refused the login"),
            (Failure::Permanent(550), 1, "rejected said (the server refused an address"),
            (Failure::Permanent(552), 1, "rejected said (the mail or the mailbox"),
            (Failure::Permanent(500), 1, "rejected said (the server refused the mail)"),
            (Failure::Tls, 1, "retry said (check `ca_file`"),
            (Failure::Client, 1, "rejected said (the server does not offer"),
        ] {
            let got = class(failure, attempts);
            assert!(got.starts_with(expected), "{failure:?}: {got}");
        }
    }
}
