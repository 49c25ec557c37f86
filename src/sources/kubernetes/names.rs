//! Names people and Kubernetes give: of namespaces, labels, and addresses made of them. Pure.

use std::collections::BTreeMap;

use crate::model::Labels;

/// Labels every alert carries already.
const OWN: [&str; 8] =
    ["alertname", "severity", "source", "cluster", "namespace", "flink_cluster", "job_name", "job"];
/// A longer value is cut.
const MAX_VALUE: usize = 200;

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Id {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Id {
    pub(super) fn new(namespace: &str, name: &str) -> Id {
        Id { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// What a Flink cluster is called within its source. Where there may be several namespaces, names
/// alone do not tell `dev/orders` from `prod/orders`.
pub(super) fn flink_cluster(id: &Id, one_namespace: bool) -> String {
    if one_namespace { id.name.clone() } else { format!("{}/{}", id.namespace, id.name) }
}

/// Whether a namespace may be called so (RFC 1123 label).
pub(super) fn is_namespace(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The label of a job a key of a Kubernetes label becomes.
pub(super) fn job_label(key: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    if key.is_empty() || key.len() > 317 || !key.chars().all(fits) {
        return Err("which is no key of a label".to_owned());
    }
    let mut name = String::with_capacity(key.len() + 1);
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push('_');
    }
    name.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    if OWN.contains(&name.as_str()) {
        return Err(format!("but `{name}` is Weir's own label"));
    }
    Ok(name)
}

/// The labels of an object that are allowed to become labels of its jobs.
pub(super) fn job_labels(allowed: &[String], of_object: &BTreeMap<String, String>) -> Labels {
    let mut labels = Labels::default();
    for key in allowed {
        if let (Some(value), Ok(name)) = (of_object.get(key), job_label(key)) {
            labels.set(&name, value.chars().take(MAX_VALUE).collect::<String>());
        }
    }
    labels
}

/// An address with `{{namespace}}` and `{{name}}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(String);

impl Template {
    /// Reads it; what is wrong follows on the key's name.
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let template = Template(text.to_owned());
        let sample = template.fill(&Id::new("a", "b"));
        if let Some((_, rest)) = sample.split_once("{{") {
            let name = rest.split("}}").next().unwrap_or(rest);
            return Err(format!("names {{{{{name}}}}}, which is neither namespace nor name"));
        }
        match reqwest::Url::parse(&sample) {
            Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
                Err("is neither http nor https".to_owned())
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err("holds credentials (put them under `auth.basic`)".to_owned())
            }
            Ok(url) if url.query().is_some() => Err("has a query".to_owned()),
            Ok(_) => Ok(template),
            Err(error) => Err(format!("cannot be read: {error}")),
        }
    }

    /// The address of one deployment.
    pub(super) fn fill(&self, id: &Id) -> String {
        let filled = self.0.replace("{{namespace}}", &id.namespace).replace("{{name}}", &id.name);
        filled.trim_end_matches('/').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names_of_labels() {
        for (key, name) in [
            ("team", Ok("team")),
            ("example.com/my-team", Ok("example_com_my_team")),
            ("7up", Ok("_7up")),
            ("job-name", Err("Weir's own")),
            ("a b", Err("no key")),
            ("", Err("no key")),
        ] {
            match (job_label(key), name) {
                (Ok(found), Ok(name)) => assert_eq!(found, name),
                (Err(found), Err(why)) => assert!(found.contains(why), "{found}"),
                (found, _) => panic!("{key}: {found:?}"),
            }
        }
        let object = BTreeMap::from([
            ("team".to_owned(), "ads".to_owned()),
            ("pod-template-hash".to_owned(), "5f".to_owned()),
        ]);
        let labels = job_labels(&["team".to_owned(), "owner".to_owned()], &object);
        assert_eq!(labels, Labels::from([("team", "ads")]), "only what is allowed");
    }

    #[test]
    fn addresses_are_filled_per_deployment() {
        let template = Template::parse("https://{{name}}.{{namespace}}.example.com/").unwrap();
        let filled = template.fill(&Id::new("flink", "orders"));
        assert_eq!(filled, "https://orders.flink.example.com");
        for (text, why) in [
            ("orders", "cannot be read"),
            ("ftp://{{name}}", "neither http"),
            ("http://{{pod}}/", "{{pod}}"),
            ("http://a:b@{{name}}", "credentials"),
            ("http://h/?ns={{namespace}}", "query"),
        ] {
            assert!(Template::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
