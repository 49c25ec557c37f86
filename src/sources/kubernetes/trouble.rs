//! What the API server refuses, and the way out: one clear line each. Pure.

use std::time::Duration;

use kube::runtime::watcher;

use super::what::What;
use crate::http::one_line;

/// Why a watch does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    /// For people, with the way out.
    pub(super) line: String,
    /// Not asked again before.
    pub(super) wait: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 401, or no credentials to be had: they are read anew.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404: nobody has heard of such objects.
    Absent,
    /// 410: what is known is too old, and listed anew.
    Outdated,
    /// 429.
    Busy,
    /// No answer, or none that can be read.
    Unreachable,
}

/// What is asked, where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) what: What,
    /// `None`: in all of them.
    pub(super) namespace: Option<&'a str>,
    /// Address of the API server.
    pub(super) server: &'a str,
}

/// Sorts an error of the watcher.
pub(super) fn of_watcher(error: &watcher::Error, asked: Asked<'_>) -> Trouble {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => of_client(error, asked),
        watcher::Error::WatchError(status) => {
            let wait = status.details.as_ref().map(|d| d.retry_after_seconds);
            of_status(status.code, &status.message, wait, asked)
        }
        watcher::Error::NoResourceVersion => unreadable("an answer without a version", asked),
    }
}

/// Sorts an error of the client.
pub(super) fn of_client(error: &kube::Error, asked: Asked<'_>) -> Trouble {
    match error {
        kube::Error::Api(status) => {
            let wait = status.details.as_ref().map(|d| d.retry_after_seconds);
            of_status(status.code, &status.message, wait, asked)
        }
        kube::Error::SerdeError(why) => unreadable(&why.to_string(), asked),
        // What a login program printed may hold a token.
        kube::Error::Auth(why) => credentials(why.to_string().split(": Output").next(), asked),
        kube::Error::Service(why) => unreachable(&chain(why.as_ref()), asked),
        other => unreachable(&chain(other), asked),
    }
}

/// Sorts an answer that is not 2xx.
pub(super) fn of_status(code: u16, said: &str, wait: Option<u32>, asked: Asked<'_>) -> Trouble {
    let Asked { what, namespace, server } = asked;
    let resource = what.resource();
    match code {
        401 => credentials(None, asked),
        403 => {
            // `… User "x" cannot list resource "pods" …`
            let verb = between(said, "cannot ", " resource").unwrap_or("list and watch");
            let who = between(said, "User \"", "\"").unwrap_or("Weir");
            let (place, role) = match namespace {
                Some(namespace) => (
                    format!("in namespace {namespace}"),
                    format!(
                        "Role `weir` of deploy/kubernetes/read-only.yaml in namespace {namespace}"
                    ),
                ),
                None => (
                    "in all namespaces".to_owned(),
                    "ClusterRole `weir` of deploy/kubernetes/read-only-all.yaml, or name \
                     `namespaces`"
                        .to_owned(),
                ),
            };
            let who = one_line(who, 120);
            trouble(
                Kind::Forbidden,
                format!("{who} may not {verb} {resource} {place} (403) (apply the {role})"),
            )
        }
        404 => trouble(Kind::Absent, format!("{server} has no {resource} (404)")),
        410 => trouble(
            Kind::Outdated,
            format!("what is known of {resource} is too old (410); it is listed anew"),
        ),
        // JSON, and not Kubernetes': there is no code in it.
        0 => unreadable("it is no answer of an API server", asked),
        429 => {
            let wait = Duration::from_secs(u64::from(wait.unwrap_or(0)).clamp(1, 60));
            let line = format!(
                "{server} is asked too much at the moment (429); {resource} again in {} s (if it \
                 lasts, give Weir a FlowSchema of its own)",
                wait.as_secs()
            );
            Trouble { wait: Some(wait), ..trouble(Kind::Busy, line) }
        }
        _ => {
            let said = one_line(said, 160);
            let line = format!(
                "{server} answered {code} when asked for {resource}: {said} (look at the API \
                 server)"
            );
            trouble(Kind::Unreachable, line)
        }
    }
}

fn credentials(why: Option<&str>, asked: Asked<'_>) -> Trouble {
    let why = why.map_or_else(String::new, |why| format!(": {}", one_line(why, 160)));
    let line = format!(
        "{} refuses Weir's credentials (401){why} (check the user of the context in \
         `kubeconfig_file`; in a pod, that its service account's token is mounted)",
        asked.server
    );
    trouble(Kind::Unauthorized, line)
}

fn unreadable(why: &str, asked: Asked<'_>) -> Trouble {
    let line = format!(
        "what {} answered about {} cannot be read: {} (the address may be that of a proxy or a \
         login page)",
        asked.server,
        asked.what.resource(),
        one_line(why, 160)
    );
    trouble(Kind::Unreachable, line)
}

fn unreachable(why: &str, asked: Asked<'_>) -> Trouble {
    let lower = why.to_ascii_lowercase();
    let hint = if lower.contains("certificate") || lower.contains("unknownissuer") {
        "check `certificate-authority` of the cluster in the kubeconfig"
    } else if lower.contains("dns") || lower.contains("lookup") {
        "check the host name of the cluster in the kubeconfig"
    } else {
        "check that it runs, and the network between it and Weir"
    };
    let line =
        format!("cannot reach the API server {}: {} ({hint})", asked.server, one_line(why, 200));
    trouble(Kind::Unreachable, line)
}

fn trouble(kind: Kind, line: String) -> Trouble {
    Trouble { kind, line, wait: None }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    Some(rest.split_once(to)?.0)
}

/// An error with its causes, none said twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(namespace: Option<&str>) -> Asked<'_> {
        Asked { what: What::Deployments, namespace, server: "https://api:6443" }
    }

    #[test]
    fn every_refusal_has_its_line_and_the_way_out() {
        let forbidden = "deployments.apps is forbidden: User \"system:serviceaccount:weir:weir\" \
                         cannot watch resource \"deployments\" in API group \"apps\" in the \
                         namespace \"flink\"";
        let cases = [
            (401, "Unauthorized", Some("flink"), Kind::Unauthorized, "service account's token"),
            (
                403,
                forbidden,
                Some("flink"),
                Kind::Forbidden,
                "weir:weir may not watch deployments.apps in namespace flink (403) (apply the Role `weir` of deploy/kubernetes/read-only.yaml in namespace flink)",
            ),
            (
                403,
                "<html>Forbidden</html>",
                None,
                Kind::Forbidden,
                "Weir may not list and watch deployments.apps in all namespaces (403) (apply the ClusterRole",
            ),
            (404, "404 page not found", None, Kind::Absent, "has no deployments.apps"),
            (410, "too old resource version", None, Kind::Outdated, "listed anew"),
            (429, "too many requests", None, Kind::Busy, "again in 1 s"),
            (503, "etcd leader changed", None, Kind::Unreachable, "answered 503"),
            (500, "boom", None, Kind::Unreachable, "boom"),
            (0, "", None, Kind::Unreachable, "no answer of an API server"),
        ];
        for (code, said, namespace, kind, words) in cases {
            let found = of_status(code, said, None, asked(namespace));
            assert_eq!(found.kind, kind, "{code}");
            assert!(found.line.contains(words), "{}", found.line);
            assert!(!found.line.contains('\n'));
        }
        assert_eq!(of_status(429, "", Some(7), asked(None)).wait, Some(Duration::from_secs(7)));
        assert_eq!(of_status(429, "", Some(9_999), asked(None)).wait, Some(Duration::from_mins(1)));
    }

    #[test]
    fn what_the_client_says_is_sorted() {
        let html = serde_json::from_str::<u8>("<html>").unwrap_err();
        let proxy = of_client(&kube::Error::SerdeError(html), asked(None));
        assert!(proxy.line.contains("login page"), "{}", proxy.line);
        let gone = std::io::Error::other("connection refused");
        let gone = of_client(&kube::Error::Service(Box::new(gone)), asked(None));
        assert_eq!(gone.kind, Kind::Unreachable);
        let words = "cannot reach the API server https://api:6443: connection refused (";
        assert!(gone.line.starts_with(words), "{}", gone.line);
        let tls = std::io::Error::other("invalid peer certificate: UnknownIssuer");
        let tls = of_client(&kube::Error::Service(Box::new(tls)), asked(None));
        assert!(tls.line.contains("certificate-authority"), "{}", tls.line);
        let status = kube::core::Status::failure("no", "Forbidden").with_code(403).boxed();
        let refused = of_watcher(&watcher::Error::WatchError(status), asked(None));
        assert_eq!(refused.kind, Kind::Forbidden);
    }
}
