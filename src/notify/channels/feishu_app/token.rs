//! The access token of an app: fetched when it is needed, kept until shortly before it expires,
//! fetched anew when the vendor does not know it any more.

use std::time::Duration;

use reqwest::Method;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::exposed;
use crate::http::HttpClient;
use crate::model::{SendOutcome, Time, Ts};
use crate::notify::channels::secret::Secret;
use crate::notify::channels::wire::{self, excerpt};

/// A token is not used any more this long before it expires; a send takes seconds.
const EARLY: Duration = Duration::from_mins(5);

/// Where tokens come from, and the one in use.
pub(super) struct Tokens {
    url: String,
    app_id: String,
    secret: Secret,
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone)]
struct Kept {
    token: SecretString,
    /// Steady time.
    until: Ts,
}

#[derive(Serialize)]
struct Request<'a> {
    app_id: &'a str,
    app_secret: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    code: i64,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    tenant_access_token: String,
    /// Seconds.
    #[serde(default)]
    expire: u64,
}

impl Tokens {
    pub(super) fn new(base_url: &str, app_id: String, secret: Secret) -> Tokens {
        let url = format!("{base_url}/open-apis/auth/v3/tenant_access_token/internal");
        Tokens { url, app_id, secret, kept: Mutex::new(None) }
    }

    /// A token that is good for a while. `refused`: the vendor did not take this one.
    pub(super) async fn get(
        &self,
        client: &HttpClient,
        now: Time,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, SendOutcome> {
        let mut kept = self.kept.lock().await;
        if let Some(known) = &*kept {
            let is_refused = refused.is_some_and(|r| exposed(r) == exposed(&known.token));
            if known.until > now.steady && !is_refused {
                return Ok(known.token.clone());
            }
        }
        let fresh = self.fetch(client, now).await?;
        *kept = Some(fresh.clone());
        Ok(fresh.token)
    }

    async fn fetch(&self, client: &HttpClient, now: Time) -> Result<Kept, SendOutcome> {
        let retry = |error| SendOutcome::Retry { after_ms: None, error };
        // A file that cannot be read may be on its way.
        let secret = self.secret.read().map_err(|e| retry(e.0))?;
        let request = Request { app_id: &self.app_id, app_secret: exposed(&secret) };
        let body = serde_json::to_string(&request).unwrap_or_default();
        let reply = wire::send_json(client, Method::POST, &self.url, &[], body, now.wall)
            .await
            .map_err(retry)?;
        let Ok(answer) = serde_json::from_str::<Answer>(&reply.body) else {
            return Err(SendOutcome::Retry {
                after_ms: reply.retry_after_ms,
                error: format!(
                    "HTTP {} without a token: {} (check `base_url` and `proxy_url`)",
                    reply.status,
                    excerpt(&reply.body)
                ),
            });
        };
        if answer.code == 0 && !answer.tenant_access_token.is_empty() {
            let lasts = Duration::from_secs(answer.expire);
            let until = now.steady + lasts.saturating_sub(EARLY).max(lasts / 2);
            return Ok(Kept { token: SecretString::from(answer.tenant_access_token), until });
        }
        Err(refusal(answer.code, &answer.msg, reply.retry_after_ms))
    }
}

/// Why there is no token.
fn refusal(code: i64, msg: &str, after_ms: Option<u64>) -> SendOutcome {
    let said = format!("no access token: code {code}: {}", excerpt(msg));
    let reject = |hint: &str| SendOutcome::Rejected { error: format!("{said} ({hint})") };
    match code {
        10_003 | 10_015 => reject("the vendor does not know this app: check `app_id`"),
        10_014 => reject("wrong secret: check `app_secret`"),
        10_012 | 10_013 => reject("the app is not enabled in this tenant: publish it there"),
        _ => SendOutcome::Retry { after_ms, error: said },
    }
}
