//! A plain HTTP client for talking to the real components, not Weir's own.

use std::time::Duration;

/// A client for loopback: no proxy, short timeouts.
///
/// # Panics
/// When the client cannot be built, which is a bug.
pub(crate) fn client() -> reqwest::Client {
    build(reqwest::redirect::Policy::default())
}

/// The same, but where it is sent elsewhere it does not go.
///
/// # Panics
/// When the client cannot be built, which is a bug.
pub(crate) fn client_that_stays() -> reqwest::Client {
    build(reqwest::redirect::Policy::none())
}

/// A client for many hosts behind an HTTP proxy; idle connections are closed soon.
///
/// # Errors
/// When the address of the proxy cannot be read.
pub(crate) fn client_through(proxy: &str) -> reqwest::Result<reqwest::Client> {
    let many = builder().pool_idle_timeout(Duration::from_secs(2)).pool_max_idle_per_host(2);
    many.proxy(reqwest::Proxy::all(proxy)?).build()
}

/// A client that trusts these authorities and no others, over TLS.
///
/// # Errors
/// When the text holds no certificate.
pub(crate) fn client_trusting(pem: &[u8]) -> reqwest::Result<reqwest::Client> {
    let authorities = reqwest::Certificate::from_pem_bundle(pem)?;
    builder().tls_certs_only(authorities).build()
}

fn build(redirects: reqwest::redirect::Policy) -> reqwest::Client {
    let client = builder().redirect(redirects).build();
    client.expect("a client without special options can be built")
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test bed is not Weir and needs none of its care"
)]
fn builder() -> reqwest::ClientBuilder {
    // Installed already when the code under test did it first.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_mins(1))
}

/// A free TCP port on loopback. Another process may take it before it is used: be ready to retry.
///
/// # Errors
/// When the system has none.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// So many different free ports at once; the same caution applies.
///
/// # Errors
/// When the system has none.
pub(crate) fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// A `multipart/form-data` body with one file, and its content type.
pub(crate) fn multipart_file(field: &str, file_name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    // A jar is a zip file; this line of letters does not occur in one by chance.
    let boundary = "weir-testbed-7f3c9a51e2d84b06";
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; \
         filename=\"{file_name}\"\r\nContent-Type: application/x-java-archive\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    (format!("multipart/form-data; boundary={boundary}"), body)
}
