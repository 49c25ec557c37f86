//! Why a request gave no answer one can use, and the way out.

use std::error::Error as StdError;
use std::time::Duration;

use super::redact::one_line;

/// A request that failed. Addresses are redacted, texts are bounded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The settings of the client make no sense.
    #[error("{what}")]
    Config {
        /// What is wrong.
        what: String,
        /// The way out.
        hint: String,
    },
    /// Credentials could not be had.
    #[error("cannot get credentials: {what}")]
    Auth {
        /// What is wrong.
        what: String,
    },
    /// No answer in time.
    #[error("{url} did not answer within {} s", after.as_secs_f32())]
    Timeout {
        /// Redacted address.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// No connection.
    #[error("cannot connect to {url}: {why}")]
    Connect {
        /// Redacted address.
        url: String,
        /// What the system said.
        why: String,
    },
    /// No trust.
    #[error("TLS handshake with {url} failed: {why}")]
    Tls {
        /// Redacted address.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The connection broke, or the other side does not speak HTTP.
    #[error("connection to {url} broke: {why}")]
    Broken {
        /// Redacted address.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// More bytes than are ever wanted.
    #[error("answer of {url} is larger than {cap} bytes")]
    TooLarge {
        /// Redacted address.
        url: String,
        /// The limit.
        cap: usize,
    },
    /// Not a 2xx.
    #[error("{url} answered {code}{}", colon(excerpt))]
    Status {
        /// Redacted address.
        url: String,
        /// HTTP status.
        code: u16,
        /// Start of the body.
        excerpt: String,
    },
    /// A page of a proxy or login, say.
    #[error("{url} answered {content_type} instead of JSON{}", colon(excerpt))]
    NotJson {
        /// Redacted address.
        url: String,
        /// What it called itself.
        content_type: String,
        /// Start of the body.
        excerpt: String,
    },
    /// JSON cut short, or of another shape.
    #[error("answer of {url} cannot be read: {why}")]
    Json {
        /// Redacted address.
        url: String,
        /// Where it stopped making sense.
        why: String,
    },
    /// Sent elsewhere, where Weir does not follow.
    #[error("{url} redirects to {target}, which is not followed")]
    Redirect {
        /// Redacted address.
        url: String,
        /// Redacted target.
        target: String,
    },
}

impl HttpError {
    /// The way out, where there is one to tell.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            HttpError::Config { hint, .. } => return Some(hint.clone()),
            HttpError::Timeout { .. } => {
                "check the address and the network path, or raise `timeout`"
            }
            HttpError::Connect { why, .. } if why.contains("dns") => "check the host name",
            HttpError::Connect { why, .. } | HttpError::Tls { why, .. }
                if why.contains("InvalidContentType") =>
            {
                "what listens there speaks no TLS: write `http://` in the address"
            }
            HttpError::Connect { .. } => "check that it runs and that the address is right",
            HttpError::Tls { why, .. } if why.contains("UnknownIssuer") => {
                "set `tls.ca_file` to the CA that signed its certificate"
            }
            HttpError::Tls { why, .. } if why.to_ascii_lowercase().contains("required") => {
                "it wants a client certificate: set `tls.cert_file` and `tls.key_file`"
            }
            HttpError::Tls { .. } => "check `tls` and the host name in the address",
            HttpError::Broken { .. } => "check that the address speaks HTTP, and http or https",
            HttpError::TooLarge { .. } => "check that the address is the right one",
            HttpError::Auth { .. } | HttpError::Status { code: 401 | 403, .. } => "check `auth`",
            HttpError::Status { code: 404, .. } => "check the path of the address",
            HttpError::Status { code: 407, .. } => "check `proxy_url`",
            HttpError::Status { .. } => return None,
            HttpError::NotJson { .. } | HttpError::Json { .. } => {
                "the address may be that of a proxy, a login page or another service"
            }
            HttpError::Redirect { .. } => "use the address it redirects to, or set `auth`",
        };
        Some(hint.to_owned())
    }

    /// HTTP status, if the other side answered with one that is not 2xx.
    pub fn status(&self) -> Option<u16> {
        match self {
            HttpError::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The error with its hint, as people read it.
    pub fn explain(&self) -> String {
        match self.hint() {
            Some(hint) => format!("{self} ({hint})"),
            None => self.to_string(),
        }
    }

    /// Sorts an error of the HTTP library.
    pub(super) fn from_reqwest(error: &reqwest::Error, url: String, after: Duration) -> HttpError {
        let why = chain(error);
        let lower = why.to_ascii_lowercase();
        if ["certificate", "handshake", "fatal alert", "tls"].iter().any(|w| lower.contains(w)) {
            HttpError::Tls { url, why }
        } else if error.is_timeout() {
            HttpError::Timeout { url, after }
        } else if error.is_connect() {
            HttpError::Connect { url, why }
        } else {
            HttpError::Broken { url, why }
        }
    }
}

fn colon(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") }
}

/// The causes of an error from the second on (the first one names the URL), without repetition.
fn chain(error: &dyn StdError) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = cause.source();
    }
    one_line(if text.is_empty() { "no reason given" } else { &text }, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_to_a_port_without_it_is_named() {
        let hint = |why: &str| {
            let (url, why) = ("https://rm-1:8088".to_owned(), why.to_owned());
            HttpError::Connect { url, why }.hint().unwrap_or_default()
        };
        // As rustls says of a server that answers in plain HTTP.
        let plain = hint("received corrupt message of type InvalidContentType");
        assert!(plain.contains("speaks no TLS") && plain.contains("`http://`"), "{plain}");
        assert!(hint("Connection refused").contains("check that it runs"));
    }
}
