//! What an address answers that should be a ResourceManager: pure.
//!
//! A standby one redirects everything but `info` to the active one, by a name from YARN's own
//! configuration that need not be one Weir can reach: it is never followed, the active one is found
//! among those that are configured. Where none is active it answers a redirect to nowhere, and after
//! a while even 200 with a text.

use crate::http::{HttpError, one_line};

/// Why a ResourceManager gave nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It is the standby one.
    Standby,
    /// It knows of no active one.
    NoActive,
    /// It starts, or reads back what it knew.
    Starting(String),
    /// It wants Kerberos.
    Kerberos,
    /// Anything else, explained.
    Other(String),
}

/// An answer, as far as it is needed to tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// `WWW-Authenticate`.
    pub(super) authenticate: &'a str,
    pub(super) body: &'a [u8],
}

/// What kept an answer from being JSON of a ResourceManager; nothing, where it may be.
pub(super) fn trouble(shown: &str, answer: Answer<'_>) -> Option<Trouble> {
    let start = answer.body.get(..4096).unwrap_or(answer.body);
    let text = String::from_utf8_lossy(start);
    let says = |words: &str| text.to_ascii_lowercase().contains(words);
    if (200..300).contains(&answer.status) {
        if text.trim_start().starts_with('{') {
            return None;
        }
        if says("no active rm") {
            return Some(Trouble::NoActive);
        }
        if says("standby rm") {
            return Some(Trouble::Standby);
        }
        return Some(Trouble::Other(page(shown, &text)));
    }
    Some(match answer.status {
        401 if answer.authenticate.to_ascii_lowercase().contains("negotiate") => Trouble::Kerberos,
        code @ (401 | 403) => Trouble::Other(format!(
            "{shown} refuses Weir ({code}): {} (check `auth`, or name a `user`)",
            gist(&text)
        )),
        _ if says("hadoop ipc port") => Trouble::Other(format!(
            "{shown} is a port for YARN's clients, not for the web (take the one of \
             `yarn.resourcemanager.webapp.address`, by default 8088)"
        )),
        404 => Trouble::Other(format!(
            "{shown} has no ResourceManager's API (404; the address ends where `/ws/v1/cluster` \
             begins, with Knox in `/resourcemanager`)"
        )),
        503 => Trouble::Starting(format!("{shown} answered 503: {}", gist(&text))),
        _ if says("standby rm") || says("no active rm") => Trouble::Standby,
        code => Trouble::Other(format!("{shown} answered {code}: {}", gist(&text))),
    })
}

/// The same of a request that got no answer.
pub(super) fn of_error(error: &HttpError) -> Trouble {
    match error {
        // Without a `Location`: no active one is known.
        HttpError::Redirect { target, .. } if target == "nowhere" => Trouble::NoActive,
        HttpError::Redirect { target, .. }
            if target.contains("/ws/v1/") || target.contains("/cluster") =>
        {
            Trouble::Standby
        }
        HttpError::TooLarge { .. } => Trouble::Other(format!(
            "{error} (list fewer applications: set `queues`, `users` or `tags`)"
        )),
        _ => Trouble::Other(error.explain()),
    }
}

/// Kerberos and nothing else is spoken there: what it is, and the way out.
pub(super) fn kerberos(shown: &str) -> String {
    format!(
        "{shown} only speaks Kerberos (401 Negotiate), and Weir does not: give it headers by \
         `auth: {{ command: [/etc/weir/yarn-token.sh] }}` that prints `Hadoop-YARN-RM-Delegation-Token: …`, \
         go through Knox, or name the clusters as `flink` sources"
    )
}

/// What `auth` gives is no good there.
pub(super) fn expired(shown: &str) -> String {
    format!(
        "{shown} does not take what `auth` gives, and asks for Kerberos (401 Negotiate): a \
         delegation token may have expired (renew it, or check what the command prints)"
    )
}

fn page(shown: &str, text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let login = ["login", "sign in", "password"].iter().any(|word| lower.contains(word));
    let what = if login { "a login page" } else { "a page" };
    let hint = if login { "set `auth`" } else { "the address may be that of something else" };
    format!("{shown} answered {what} instead of JSON: {} ({hint})", gist(text))
}

/// The title of a page, or how it begins.
fn gist(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|from| {
        let from = from + "<title>".len();
        let to = lower.get(from..)?.find("</title>")?;
        text.get(from..from + to)
    });
    let line = one_line(title.unwrap_or(text), 120);
    if line.is_empty() { "nothing".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let is = |status, authenticate, body: &str| {
            trouble("rm", Answer { status, authenticate, body: body.as_bytes() })
        };
        assert_eq!(is(200, "", " {\"clusterInfo\":{}}"), None);
        let standby =
            "This is standby RM. The redirect url is: http://rm-2:8088/ws/v1/cluster/apps";
        for (answer, expected) in [
            (is(200, "", "There is no active RM right now."), Trouble::NoActive),
            (is(200, "", standby), Trouble::Standby),
            (is(500, "", standby), Trouble::Standby),
            (is(401, "Negotiate", "<html>"), Trouble::Kerberos),
            (is(401, "negotiate abc", ""), Trouble::Kerberos),
        ] {
            assert_eq!(answer, Some(expected));
        }
        for (answer, words) in [
            (is(401, "Basic realm=x", ""), "check `auth`"),
            (is(403, "", "{\"RemoteException\":{}}"), "refuses Weir (403)"),
            (is(404, "", "<html><title>Error 404</title>"), "no ResourceManager's API"),
            (
                is(404, "", "It looks like you are making an HTTP request to a Hadoop IPC port."),
                "webapp.address",
            ),
            (
                is(200, "", "<html><TITLE>Sign in</TITLE>password"),
                "a login page instead of JSON: Sign in",
            ),
            (is(200, "", "<html><title>All Applications</title>"), "a page instead of JSON"),
            (is(200, "", ""), "nothing"),
            (is(502, "", "bad gateway"), "answered 502: bad gateway"),
        ] {
            let Some(Trouble::Other(said)) = answer else { panic!("{words}: {answer:?}") };
            assert!(said.contains(words), "{said}");
        }
        assert!(matches!(is(503, "", "Service Unavailable"), Some(Trouble::Starting(_))));
        let huge = "x".repeat(100_000);
        let Some(Trouble::Other(said)) = is(200, "", &huge) else { panic!() };
        assert!(said.len() < 400, "{said}");
    }

    #[test]
    fn redirects_are_not_followed_but_understood() {
        let to = |target: &str| {
            of_error(&HttpError::Redirect {
                url: "http://rm-1".to_owned(),
                target: target.to_owned(),
            })
        };
        assert_eq!(to("nowhere"), Trouble::NoActive);
        assert_eq!(to("http://rm-2:8088/ws/v1/cluster/apps"), Trouble::Standby);
        assert!(matches!(to("https://sso.example.com/login"), Trouble::Other(_)));
        let large = HttpError::TooLarge { url: "http://rm-1".to_owned(), cap: 1 };
        let Trouble::Other(said) = of_error(&large) else { panic!() };
        assert!(said.contains("`queues`"), "{said}");
        let said = kerberos("http://rm-1:8088");
        for way in ["auth: { command:", "Knox", "`flink` sources"] {
            assert!(said.contains(way) && !said.contains('\n'), "{said}");
        }
    }
}
