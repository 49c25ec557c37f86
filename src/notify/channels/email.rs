//! E-mail: one thread per incident by deterministic Message-IDs, text and HTML, sent over SMTP.
//! The frozen body is the complete mail; a retry sends the same bytes under the same Message-ID.

mod mail;
mod recipients;
mod server;
#[cfg(test)]
mod tests;
mod transaction;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use lettre::Address;
use lettre::message::Mailbox;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use super::options::{BudgetConfig, endpoint_hash, timeout};
use super::secret::Secret;
use super::{BuildError, Channel, Parts, Settings, wire};
use crate::model::{Message, SendOutcome, Time};
use crate::notify::{Budget, Compose};

use server::{Failure, TlsMode, classify};

/// More than this in a mailbox is what people complain about.
const PER_HOUR: Budget = Budget { messages: 60, per: Duration::from_hours(1) };
/// SMTP takes several round trips, and relays look things up.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// Sends mail by SMTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the channel; its kind if there is none.
    pub name: Option<String>,
    /// `smtps://user@host:465` speaks TLS from the first byte; `smtp://user@host:587` starts in
    /// the clear and demands STARTTLS unless `tls`, or `?tls=` here, says otherwise.
    #[schemars(with = "Option<String>")]
    pub smtp_url: Option<SecretString>,
    /// File with the address of the server.
    pub smtp_url_file: Option<PathBuf>,
    /// Encryption of `smtp://`: `required` (STARTTLS or nothing), `opportunistic`, `none`.
    pub tls: Option<TlsMode>,
    /// User name, where it is not in `smtp_url`.
    pub username: Option<String>,
    /// Password.
    #[schemars(with = "Option<String>")]
    pub password: Option<SecretString>,
    /// File with the password, read again for every mail.
    pub password_file: Option<PathBuf>,
    /// Sender, such as `Weir <weir@example.com>`.
    pub from: String,
    /// Who gets the mails. One of them the server refuses does not keep them from the others.
    pub to: Vec<String>,
    /// Owners get a copy of what is about their jobs, by the addresses in `people`; no if it is left
    /// out.
    #[serde(default)]
    pub to_owner: bool,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Also tell when it is over; yes if it is left out.
    pub send_resolved: Option<bool>,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Time limit of one mail, at most 2m; 30s if it is left out.
    pub timeout: Option<SignedDuration>,
    /// Hard limit; 60 per hour if it is left out.
    pub budget: Option<BudgetConfig>,
}

impl Config {
    fn url(&self) -> Result<Secret, BuildError> {
        Secret::required("smtp_url", self.smtp_url.as_ref(), self.smtp_url_file.as_ref())
    }
}

fn mailbox(what: &str, text: &str) -> Result<Mailbox, BuildError> {
    text.parse().map_err(|_| {
        BuildError(format!("`{what}` has {text:?}, which is no mail address (a@b, or Name <a@b>)"))
    })
}

impl Config {
    fn composer(&self, parts: &Parts) -> Result<mail::Composer, BuildError> {
        let from = mailbox("from", &self.from)?;
        let to: Vec<Mailbox> =
            self.to.iter().map(|to| mailbox("to", to)).collect::<Result<_, _>>()?;
        let reply_to = self.reply_to.as_deref().map(|to| mailbox("reply_to", to)).transpose()?;
        let templates = Arc::clone(&parts.templates);
        let name = self.name.clone().unwrap_or_default();
        let owners = self.to_owner.then(|| parts.people.clone());
        Ok(mail::Composer { templates, name, from, to, reply_to, owners })
    }
}

impl Settings for Config {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn budgets(&self) -> Vec<Budget> {
        vec![self.budget.map_or(PER_HOUR, BudgetConfig::budget)]
    }

    fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }

    fn per_incident(&self) -> bool {
        true
    }

    fn endpoint(&self) -> Result<String, BuildError> {
        let mut to: Vec<String> = self.to.iter().map(|to| to.trim().to_lowercase()).collect();
        to.sort();
        Ok(endpoint_hash("email", &to.join(",")))
    }

    fn composer(&self, parts: &Parts) -> Result<Box<dyn Compose>, BuildError> {
        Ok(Box::new(self.composer(parts)?))
    }

    fn build(&self, parts: &Parts) -> Result<Box<dyn Channel>, BuildError> {
        let composer = self.composer(parts)?;
        let mut to: Vec<Address> = Vec::new();
        for mailbox in &composer.to {
            if !to.contains(&mailbox.email) {
                to.push(mailbox.email.clone());
            }
        }
        if to.is_empty() {
            let error = "`to` is empty (name at least one mail address)";
            return Err(BuildError(error.to_owned()));
        }
        let url = self.url()?;
        let password = Secret::of("password", self.password.as_ref(), self.password_file.as_ref())?;
        let server = server::Server {
            url,
            tls: self.tls,
            username: self.username.clone(),
            password,
            ca_file: self.ca_file.clone(),
            timeout: timeout(Some(self.timeout.unwrap_or(TIMEOUT))),
        };
        // Built anew for every mail, so that a rotated password is taken up; tried once now.
        server.check()?;
        Ok(Box::new(Email { composer, server, to, recipients: recipients::Recipients::default() }))
    }
}

struct Email {
    composer: mail::Composer,
    server: server::Server,
    to: Vec<Address>,
    recipients: recipients::Recipients,
}

impl Email {
    async fn try_send(&self, message: &Message) -> Result<SendOutcome, BuildError> {
        let way = self.server.way()?;
        let everybody = mail::with_copies(&self.to, &message.frozen.body);
        let to = self.recipients.due(message, &everybody);
        let work = async {
            let mut server = way.connect().await?;
            let mail = message.frozen.body.as_bytes();
            let said = transaction::run(&mut server, &self.composer.from.email, to, mail).await;
            Ok((server, said))
        };
        let said = match tokio::time::timeout(self.server.timeout, work).await {
            Err(_) => {
                return Ok(SendOutcome::Retry {
                    after_ms: None,
                    error: format!("no answer within {} s", self.server.timeout.as_secs()),
                });
            }
            Ok(Err(error)) => Err(error),
            Ok(Ok((mut server, said))) => {
                // A server that hangs now has the mail already.
                drop(tokio::time::timeout(Duration::from_secs(1), server.abort()).await);
                said
            }
        };
        Ok(match said {
            Ok(said) => self.recipients.settle(message, said),
            Err(error) => {
                let failure = Failure::of(&error);
                let outcome = classify(failure, message.attempts, &wire::chain(&error));
                self.recipients.failed(message, &everybody, outcome)
            }
        })
    }
}

impl Channel for Email {
    fn composer(&self) -> &dyn Compose {
        &self.composer
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        _key: &'a str,
        _now: Time,
    ) -> BoxFuture<'a, SendOutcome> {
        Box::pin(async move {
            self.try_send(message)
                .await
                .unwrap_or_else(|e| SendOutcome::Retry { after_ms: None, error: e.0 })
        })
    }
}
