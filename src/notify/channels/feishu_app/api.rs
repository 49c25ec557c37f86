//! The three calls: send, edit, reply.

use reqwest::Method;
use secrecy::SecretString;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::exposed;
use super::reply::{Call, classify, is_token_refused};
use super::token::Tokens;
use crate::http::HttpClient;
use crate::model::{Manner, Message, SendOutcome, Time};
use crate::notify::channels::options::hex;
use crate::notify::channels::wire::{self, Reply, bearer};

/// Longest `uuid` the vendor takes.
const MAX_UUID: usize = 50;

/// The vendor's interface, for one receiver.
pub(super) struct Api {
    pub(super) client: HttpClient,
    pub(super) base_url: String,
    pub(super) tokens: Tokens,
    pub(super) receive_id: String,
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
struct Send<'a> {
    receive_id: &'a str,
    msg_type: &'static str,
    content: &'a str,
    uuid: String,
}

#[derive(Serialize)]
struct Below<'a> {
    msg_type: &'static str,
    content: &'a str,
    uuid: String,
}

#[derive(Serialize)]
struct Patch<'a> {
    content: &'a str,
}

/// A card as it stands in a body: a string of JSON inside of JSON.
pub(super) fn as_string(card: &str) -> String {
    serde_json::to_string(card).unwrap_or_default()
}

/// The idempotency key, as the vendor takes it.
fn uuid(key: &str) -> String {
    if key.len() <= MAX_UUID {
        return key.to_owned();
    }
    hex(&Sha256::digest(key.as_bytes()).as_slice()[..16])
}

/// A message's name is put into an address: it must not lead elsewhere.
fn is_name(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

impl Api {
    /// Method, address and body of a message's call, and which it is.
    fn call(&self, message: &Message, key: &str) -> Result<(Method, String, String, Call), String> {
        let messages = format!("{}/open-apis/im/v1/messages", self.base_url);
        let content = message.frozen.body.as_str();
        let json = |body: Result<String, serde_json::Error>| body.map_err(|e| e.to_string());
        let called = |receipt: &str| {
            if is_name(receipt) {
                return Ok(format!("{messages}/{receipt}"));
            }
            Err(format!("{receipt:?} is no id of a message"))
        };
        let msg_type = "interactive";
        Ok(match &message.manner {
            Manner::Fresh => {
                let receive_id = &self.receive_id;
                let body = Send { receive_id, msg_type, content, uuid: uuid(key) };
                let url = format!("{messages}?receive_id_type={}", self.kind);
                (Method::POST, url, json(serde_json::to_string(&body))?, Call::Send)
            }
            Manner::Reply { receipt, .. } => {
                let body = Below { msg_type, content, uuid: uuid(key) };
                let url = format!("{}/reply", called(receipt)?);
                (Method::POST, url, json(serde_json::to_string(&body))?, Call::Reply)
            }
            Manner::Edit { receipt, .. } => {
                let body = json(serde_json::to_string(&Patch { content }))?;
                (Method::PATCH, called(receipt)?, body, Call::Edit)
            }
        })
    }

    async fn ask(
        &self,
        (method, url, body): (Method, &str, &str),
        token: &SecretString,
        now: Time,
    ) -> Result<Reply, SendOutcome> {
        let authorization = bearer(token);
        let headers = [("authorization", exposed(&authorization))];
        wire::send_json(&self.client, method, url, &headers, body.to_owned(), now.wall)
            .await
            .map_err(|error| SendOutcome::Retry { after_ms: None, error })
    }

    /// Makes the call of a message; once more with a new token, if the vendor refuses the one we
    /// have.
    pub(super) async fn send(&self, message: &Message, key: &str, now: Time) -> SendOutcome {
        let (method, url, body, call) = match self.call(message, key) {
            Ok(call) => call,
            Err(error) => return SendOutcome::Gone { error },
        };
        let mut refused: Option<SecretString> = None;
        loop {
            let token = match self.tokens.get(&self.client, now, refused.as_ref()).await {
                Ok(token) => token,
                Err(outcome) => return outcome,
            };
            let reply = match self.ask((method.clone(), &url, &body), &token, now).await {
                Ok(reply) => reply,
                Err(outcome) => return outcome,
            };
            if refused.is_none() && is_token_refused(&reply) {
                refused = Some(token);
                continue;
            }
            return classify(&reply, call);
        }
    }
}
