//! Where the parts of a YARN cluster are: from what is configured and what an application says. Pure.

use crate::sources::flink::encode;

/// One ResourceManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Master {
    /// As it is configured, for people.
    pub(super) shown: String,
    /// Where `info`, `apps` and `metrics` are.
    pub(super) api: String,
    /// Where the pages are, and `proxy/`.
    pub(super) web: String,
}

impl Master {
    /// Reads an address. Its own paths begin with `/ws/v1/cluster`; Knox puts its service's name in
    /// the place of `/ws`, and the pages beside it.
    pub(super) fn of(url: &str) -> Master {
        let shown = url.trim_end_matches('/').to_owned();
        for (end, rest) in [("/ws/v1/cluster", ""), ("/ws/v1", "/cluster"), ("/ws", "/v1/cluster")]
        {
            if let Some(web) = shown.strip_suffix(end) {
                return Master { api: format!("{shown}{rest}"), web: web.to_owned(), shown };
            }
        }
        if let Some(gateway) = shown.strip_suffix("/resourcemanager") {
            let (api, web) = (format!("{shown}/v1/cluster"), format!("{gateway}/yarn"));
            return Master { shown, api, web };
        }
        Master { api: format!("{shown}/ws/v1/cluster"), web: shown.clone(), shown }
    }

    /// An address of its API; parameters with an empty value are left out.
    pub(super) fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let mut url = format!("{}/{path}", self.api);
        let mut mark = '?';
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            url.push(mark);
            url.push_str(name);
            url.push('=');
            url.push_str(&encode(value));
            mark = '&';
        }
        url
    }
}

/// Flink's REST API as an application registered it: `amRPCAddress` holds the host of the
/// `JobManager` and the port of its REST API.
pub(super) fn direct(am_rpc_address: &str, https: bool) -> Option<String> {
    let (host, port) = am_rpc_address.trim().rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).is_some_and(|inside| {
        !inside.is_empty() && inside.chars().all(|c| c.is_ascii_hexdigit() || c == ':')
    });
    let is_host = !host.is_empty() && host.len() <= 255 && host.chars().all(is_part);
    let scheme = if https { "https" } else { "http" };
    (is_host || is_v6).then(|| format!("{scheme}://{host}:{port}"))
}

/// The same through a web proxy: only reading passes, and what the application says of itself does
/// not matter.
pub(super) fn proxied(web: &str, application: &str) -> String {
    format!("{}/proxy/{application}", web.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prefix_is_part_of_the_address() {
        let knox = "https://knox:8443/gateway/default/resourcemanager";
        for (url, api, web) in [
            ("http://rm:8088/", "http://rm:8088/ws/v1/cluster", "http://rm:8088"),
            ("http://rm:8088/ws/v1/cluster", "http://rm:8088/ws/v1/cluster", "http://rm:8088"),
            ("http://rm:8088/ws/v1", "http://rm:8088/ws/v1/cluster", "http://rm:8088"),
            ("http://h/a/rm/ws", "http://h/a/rm/ws/v1/cluster", "http://h/a/rm"),
            ("http://h/a/rm", "http://h/a/rm/ws/v1/cluster", "http://h/a/rm"),
            (
                knox,
                "https://knox:8443/gateway/default/resourcemanager/v1/cluster",
                "https://knox:8443/gateway/default/yarn",
            ),
        ] {
            let master = Master::of(url);
            assert_eq!((master.api.as_str(), master.web.as_str()), (api, web), "{url}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_empty_ones_left_out() {
        let master = Master::of("http://rm:8088");
        assert_eq!(
            master.ask("apps", &[("user.name", ""), ("applicationTypes", "Apache Flink,订")]),
            "http://rm:8088/ws/v1/cluster/apps?applicationTypes=Apache%20Flink%2C%E8%AE%A2"
        );
        assert_eq!(
            master.ask("info", &[("user.name", "weir"), ("a", "b&c")]),
            "http://rm:8088/ws/v1/cluster/info?user.name=weir&a=b%26c"
        );
    }

    #[test]
    fn only_an_address_is_an_address() {
        for (said, url) in [
            ("worker-3.example.com:40123", Some("http://worker-3.example.com:40123")),
            ("10.0.0.7:8081", Some("http://10.0.0.7:8081")),
            ("[fe80::1]:8081", Some("http://[fe80::1]:8081")),
            ("N/A:-1", None),
            ("N/A", None),
            ("host:0", None),
            (":8081", None),
            ("user@host:80", None),
            ("host/path:80", None),
            ("[]:80", None),
            ("", None),
        ] {
            assert_eq!(direct(said, false).as_deref(), url, "{said}");
        }
        assert_eq!(direct("a:1", true).as_deref(), Some("https://a:1"));
        assert_eq!(
            proxied("http://rm:8088/", "application_1_2"),
            "http://rm:8088/proxy/application_1_2"
        );
    }
}
