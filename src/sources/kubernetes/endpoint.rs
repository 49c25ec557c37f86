//! Where a Flink cluster's REST API is: from its `Service`, as Flink's own client finds it
//! (`ServiceType`), unless the configuration says better. Pure.

use super::names::{Id, Template};
use super::views::{PodView, ServiceView};

/// Flink's default.
const REST_PORT: u16 = 8081;
/// Addresses tried.
const MAX: usize = 4;

/// What is known of the way to one cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    /// Namespace and `cluster-id`.
    pub(super) id: &'a Id,
    /// `None`: not listed, as where Weir may not see it.
    pub(super) service: Option<&'a ServiceView>,
    /// Pods of the cluster.
    pub(super) pods: &'a [PodView],
    /// It speaks HTTPS.
    pub(super) tls: bool,
    /// Configured.
    pub(super) template: Option<&'a Template>,
}

/// Addresses, the best first. Never empty.
pub(super) fn addresses(way: Way<'_>) -> Vec<String> {
    if let Some(template) = way.template {
        return vec![template.fill(way.id)];
    }
    let scheme = if way.tls { "https" } else { "http" };
    let mut found: Vec<String> = Vec::new();
    let mut add = |host: &str, port: u16| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let address = format!("{scheme}://{host}:{port}");
        if found.len() < MAX && !found.contains(&address) {
            found.push(address);
        }
    };
    let jobmanagers = || way.pods.iter().filter(|pod| pod.jobmanager && pod.ready);
    let kind = way.service.map_or("", |service| service.kind.as_str());
    if let Some(service) = way.service {
        if kind == "LoadBalancer" {
            service.ingress.iter().for_each(|host| add(host, service.port));
        }
        if let (true, Some(port)) = (matches!(kind, "NodePort" | "LoadBalancer"), service.node_port)
        {
            // Any node forwards it; those with a JobManager on them are known without more rights.
            let hosts = jobmanagers().filter_map(|pod| pod.host_ip.as_deref());
            hosts.take(2).for_each(|host| add(host, port));
        }
    }
    let port = way.service.map_or(REST_PORT, |service| service.port);
    add(&format!("{}-rest.{}.svc", way.id.name, way.id.namespace), port);
    // Without cluster DNS, but on the pods' network.
    jobmanagers().filter_map(|pod| pod.ip.as_deref()).take(2).for_each(|ip| add(ip, port));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(kind: &str, node_port: Option<u16>, ingress: &[&str]) -> ServiceView {
        ServiceView {
            kind: kind.to_owned(),
            port: 8081,
            node_port,
            ingress: ingress.iter().map(|host| (*host).to_owned()).collect(),
        }
    }

    #[test]
    fn addresses_follow_the_type_of_the_service() {
        let pod = |ready: bool| PodView {
            jobmanager: true,
            ready,
            ip: Some("10.1.0.7".to_owned()),
            host_ip: Some("192.168.0.3".to_owned()),
            ..PodView::default()
        };
        let dns = "http://orders-rest.flink.svc:8081";
        let cluster_ip = service("ClusterIP", None, &[]);
        let node = service("NodePort", Some(30_081), &[]);
        let balancer = service("LoadBalancer", Some(30_082), &["203.0.113.9"]);
        let waiting = service("LoadBalancer", Some(30_082), &[]);
        let six = service("LoadBalancer", None, &["2001:db8::1"]);
        let cases: [(Option<&ServiceView>, bool, &[&str]); 7] = [
            (Some(&cluster_ip), true, &[dns, "http://10.1.0.7:8081"]),
            (Some(&cluster_ip), false, &[dns]),
            (Some(&node), true, &["http://192.168.0.3:30081", dns, "http://10.1.0.7:8081"]),
            (
                Some(&balancer),
                true,
                &[
                    "http://203.0.113.9:8081",
                    "http://192.168.0.3:30082",
                    dns,
                    "http://10.1.0.7:8081",
                ],
            ),
            (Some(&waiting), false, &[dns]),
            (Some(&six), false, &["http://[2001:db8::1]:8081", dns]),
            (None, false, &[dns]),
        ];
        let id = Id::new("flink", "orders");
        for (service, ready, expected) in cases {
            let pods = [pod(ready)];
            let way = Way { id: &id, service, pods: &pods, tls: false, template: None };
            assert_eq!(addresses(way), expected, "{service:?}");
        }
    }

    #[test]
    fn the_configuration_knows_better() {
        let id = Id::new("flink", "orders");
        let template = Template::parse("https://{{name}}.example.com/").unwrap();
        let way = Way { id: &id, service: None, pods: &[], tls: false, template: Some(&template) };
        assert_eq!(addresses(way), ["https://orders.example.com"]);
        let tls = Way { tls: true, template: None, ..way };
        assert_eq!(addresses(tls), ["https://orders-rest.flink.svc:8081"]);
    }
}
