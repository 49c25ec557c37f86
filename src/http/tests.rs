//! What the client refuses before it ever connects.

use super::*;

fn config(yaml: &str) -> HttpConfig {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn settings_read_as_written() {
    let c = config(
        "auth: { basic: { username: u, password: p4ss } }\ntimeout: 1m 5s\nheaders: { X-A: hush }",
    );
    assert_eq!(c.timeout, Some(Duration::from_secs(65)));
    let shown = format!("{c:?}");
    assert!(!shown.contains("p4ss") && !shown.contains("hush"), "{shown}");
    for bad in ["auth: { basic: { user: u } }", "tls: { insecure: true }", "timeouts: 5s"] {
        assert!(serde_saphyr::from_str::<HttpConfig>(bad).is_err(), "{bad}");
    }
}

#[test]
fn senseless_settings_are_refused_with_a_hint() {
    let cases = [
        ("timeout: 0s", "`timeout` is zero"),
        ("auth: { bearer: {} }", "neither `token` nor `token_file` is set"),
        ("auth: { bearer: { token: a, token_file: b } }", "both `token` and `token_file` are set"),
        ("auth: { command: [] }", "`auth.command` is empty"),
        ("auth: { headers: { 'a b': c } }", "`a b` is no header"),
        ("proxy_url: 'http://u:hush@:x'", "`proxy_url` cannot be read"),
        ("tls: { cert_file: a.pem }", "`tls.cert_file` and `tls.key_file` belong together"),
        ("tls: { ca_file: /nowhere.pem }", "cannot read /nowhere.pem"),
    ];
    for (yaml, what) in cases {
        let error = HttpClient::build(&config(yaml)).unwrap_err();
        assert!(error.to_string().contains(what), "{yaml}: {error}");
        assert!(error.hint().is_some_and(|h| !h.contains("hush")), "{yaml}");
    }
}

#[test]
fn redirects_stay_on_the_host() {
    let url = |u: &str| Url::parse(u).unwrap();
    for (from, to, ok) in [
        ("http://a:1/x", "http://a:1/y", true),
        ("http://a/x", "https://a/x", true),
        ("https://a/x", "http://a/x", false),
        ("http://a:1/x", "http://a:2/x", false),
        ("http://a/x", "http://b/x", false),
    ] {
        assert_eq!(same_host(&url(from), &url(to)), ok, "{from} {to}");
    }
}
