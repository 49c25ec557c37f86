use super::*;

fn web(listen: &str, external_url: Option<&str>) -> Web {
    Web {
        listen: listen.parse().unwrap(),
        external_url: external_url.map(str::to_owned),
        tokens: Vec::new(),
        metrics_open: false,
        links: true,
    }
}

#[test]
fn an_address_to_listen_on_becomes_one_to_ask_at() {
    for (listen, external, expected) in [
        ("127.0.0.1:9321", None, vec!["http://127.0.0.1:9321"]),
        ("0.0.0.0:80", None, vec!["http://127.0.0.1:80"]),
        ("[::]:9321", None, vec!["http://[::1]:9321"]),
        ("10.1.2.3:9321", None, vec!["http://10.1.2.3:9321"]),
        (
            "0.0.0.0:9321",
            Some("https://weir.example.com/x/"),
            vec!["http://127.0.0.1:9321", "https://weir.example.com/x"],
        ),
    ] {
        assert_eq!(addresses(&web(listen, external)), expected, "{listen}");
    }
}

#[test]
fn a_key_is_one_segment_of_a_path() {
    assert_eq!(segment("prod/ns/a%2Fb"), "prod%2Fns%2Fa%252Fb");
    assert_eq!(segment("作业 .."), "%E4%BD%9C%E4%B8%9A%20%2E%2E");
}

#[test]
fn an_address_is_read_as_people_write_it() {
    for (given, expected) in [
        ("http://weir:9321/", Some("http://weir:9321")),
        ("weir:9321", Some("http://weir:9321")),
        ("https://example.com/weir/", Some("https://example.com/weir")),
        ("ftp://weir", None),
        ("http://", None),
    ] {
        assert_eq!(base_of(given).ok().as_deref(), expected, "{given}");
    }
}
