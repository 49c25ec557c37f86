//! From settings to a client of the HTTP library.

use std::path::Path;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;

use super::auth::{self, Stamp, stamp};
use super::config::{HttpConfig, TlsConfig};
use super::error::HttpError;

/// The present versions of all certificate files.
pub(super) fn stamps(config: &HttpConfig) -> Vec<Option<Stamp>> {
    config.tls.iter().flat_map(TlsConfig::files).map(|path| stamp(path)).collect()
}

/// How many hosts a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    /// A few, again and again: connections are kept.
    Few,
    /// Any number: kept connections would use up the files a process may open.
    Many,
}

impl Pool {
    /// For how long an idle connection is kept, and how many of them to one host. Of many hosts
    /// some thousand are looked at in a second: what is kept for longer than one of them takes, all of
    /// them keep at the same time.
    fn keeps(self) -> (Duration, usize) {
        match self {
            Pool::Few => (Duration::from_secs(90), 8),
            Pool::Many => (Duration::from_millis(100), 1),
        }
    }
}

/// Applies the settings.
#[expect(clippy::disallowed_methods, reason = "this is the one place that builds clients")]
pub(super) fn new_client(
    config: &HttpConfig,
    timeout: Duration,
    pool: Pool,
) -> Result<Client, HttpError> {
    let (idle, per_host) = pool.keeps();
    let bad = |what: String, hint: &str| HttpError::Config { what, hint: hint.to_owned() };
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        auth::insert(&mut headers, name, value.expose_secret())?;
    }
    let mut builder = Client::builder()
        .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(3)))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .gzip(true)
        .tcp_nodelay(true)
        .pool_idle_timeout(idle)
        .pool_max_idle_per_host(per_host);
    builder = match &config.proxy_url {
        None => builder.no_proxy(),
        Some(url) => builder.proxy(reqwest::Proxy::all(url.expose_secret()).map_err(|_| {
            bad("`proxy_url` cannot be read".to_owned(), "write it as http://proxy:3128")
        })?),
    };
    if let Some(tls) = &config.tls {
        if let Some(path) = &tls.ca_file {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem(path)?);
            match certificates {
                Ok(found) if !found.is_empty() => builder = builder.tls_certs_only(found),
                _ => {
                    let what = format!("{} holds no certificate", path.display());
                    return Err(bad(what, "`tls.ca_file` is a PEM file of CA certificates"));
                }
            }
        }
        match (&tls.cert_file, &tls.key_file) {
            (Some(cert), Some(key)) => {
                let mut both = pem(cert)?;
                both.push(b'\n');
                both.extend(pem(key)?);
                builder = builder.identity(reqwest::Identity::from_pem(&both).map_err(|_| {
                    bad(
                        format!("{} and {} are no key pair", cert.display(), key.display()),
                        "both are PEM files; the key is not encrypted",
                    )
                })?);
            }
            (None, None) => {}
            _ => {
                return Err(bad(
                    "`tls.cert_file` and `tls.key_file` belong together".to_owned(),
                    "set both, or neither",
                ));
            }
        }
    }
    builder.build().map_err(|error| {
        let why = HttpError::from_reqwest(&error, String::new(), timeout);
        bad(format!("cannot set up HTTP: {why}"), "check `tls` and the system's certificates")
    })
}

fn pem(path: &Path) -> Result<Vec<u8>, HttpError> {
    std::fs::read(path).map_err(|error| HttpError::Config {
        what: format!("cannot read {}: {error}", path.display()),
        hint: "check the path and its permissions".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What most systems let a process open unless somebody says otherwise (`ulimit -n`).
    const FILES: usize = 1_024;
    /// Hosts that are looked at in a second: a look costs more than half a millisecond of CPU, and
    /// two cores are what Weir uses.
    const HOSTS: usize = 3_000;
    /// At the same time, with as many requests each.
    const LOOKS: (usize, usize) = (128, 3);
    /// Idle connections are looked for so often.
    const SWEEP: Duration = Duration::from_millis(100);

    #[test]
    fn any_number_of_hosts_leaves_files_to_open() {
        let (idle, per_host) = Pool::Many.keeps();
        let millis = usize::try_from((idle + SWEEP / 2).as_millis()).unwrap();
        let kept = HOSTS * millis / 1_000 * per_host;
        let open = kept + LOOKS.0 * LOOKS.1;
        assert!(open < FILES - 64, "{open} connections");
    }
}
