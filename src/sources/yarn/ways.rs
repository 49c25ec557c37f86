//! By which ways to reach the JobManager of an application, in which order: pure.

use super::address;
use super::app::App;
use super::config::{JobManagersConfig, Via};

/// One way to a JobManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Through YARN's web proxy.
    pub(super) proxied: bool,
    /// Address of Flink's REST API.
    pub(super) base: String,
}

/// The ways there are now, the best first. `last`: the one by which it answered last; `proxied`:
/// others answered through the proxy only; `web`: where the proxy is, if it can be reached.
pub(super) fn ways(
    config: &JobManagersConfig,
    app: &App,
    last: Option<&Way>,
    proxied: bool,
    web: Option<&str>,
) -> Vec<Way> {
    let direct = app.rpc.as_deref().and_then(|rpc| address::direct(rpc, config.https));
    let direct = direct.map(|base| Way { proxied: false, base });
    let web = web.map(|web| config.web_proxy_url.as_deref().unwrap_or(web));
    let proxy = web.map(|web| Way { proxied: true, base: address::proxied(web, &app.id) });
    match config.via {
        Via::Direct => direct.into_iter().collect(),
        Via::Proxy => proxy.into_iter().collect(),
        // It could be reached there: that it is silent now has another reason.
        Via::Auto if last.is_some_and(|way| !way.proxied) && direct.as_ref() == last => {
            direct.into_iter().collect()
        }
        Via::Auto if last.map_or(proxied, |way| way.proxied) => {
            proxy.into_iter().chain(direct).collect()
        }
        Via::Auto => direct.into_iter().chain(proxy).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_that_worked_comes_first() {
        let app = |rpc: &str| App {
            id: "application_1_1".to_owned(),
            rpc: Some(rpc.to_owned()),
            ..App::default()
        };
        let via = |via| JobManagersConfig { via, ..JobManagersConfig::default() };
        let direct = Way { proxied: false, base: "http://jm:1".to_owned() };
        let proxy = Way { proxied: true, base: "http://rm/proxy/application_1_1".to_owned() };
        let (d, p) = (Some(&direct), Some(&proxy));
        for (config, rpc, last, hint, web, expected) in [
            (via(Via::Auto), "jm:1", None, false, true, vec![&direct, &proxy]),
            (via(Via::Auto), "jm:1", None, true, true, vec![&proxy, &direct]),
            (via(Via::Auto), "jm:1", d, true, true, vec![&direct]),
            (via(Via::Auto), "jm:1", p, false, true, vec![&proxy, &direct]),
            (via(Via::Auto), "N/A:-1", None, false, true, vec![&proxy]),
            (via(Via::Auto), "jm:1", p, true, false, vec![&direct]),
            (via(Via::Direct), "jm:1", p, true, true, vec![&direct]),
            (via(Via::Direct), "", None, true, true, vec![]),
            (via(Via::Proxy), "jm:1", d, false, true, vec![&proxy]),
        ] {
            let web = web.then_some("http://rm");
            let found = ways(&config, &app(rpc), last, hint, web);
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{config:?} {rpc} {last:?}");
        }
        let moved = Way { proxied: false, base: "http://old:1".to_owned() };
        let found = ways(&via(Via::Auto), &app("jm:1"), Some(&moved), false, Some("http://rm"));
        assert_eq!(found, [direct, proxy], "another attempt has another address");
        let own = JobManagersConfig {
            web_proxy_url: Some("http://wp:9099/".to_owned()),
            ..via(Via::Proxy)
        };
        let found = ways(&own, &app(""), None, false, Some("http://rm"));
        assert_eq!(found[0].base, "http://wp:9099/proxy/application_1_1");
    }
}
