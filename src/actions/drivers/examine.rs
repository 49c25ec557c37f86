//! What a driver is looked over with, and what its looks share. Nothing is changed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::flink_rest::{Cluster, Clusters, bounded};
use crate::http::redact_url;
use crate::model::JobKey;

/// One thing that was looked at: what is well, or what is wrong and the way out; without secrets.
pub type Finding = Result<String, String>;

/// A job an entry is about, as far as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// The job.
    pub job: JobKey,
    /// Its name: in application mode that of its deployment.
    pub job_name: String,
    /// Name of the source that shows it.
    pub cluster: String,
    /// Kubernetes namespace or empty.
    pub namespace: String,
    /// Configured name of the inventory that knows it.
    pub inventory: Option<String>,
}

/// Things of one sort that are looked at, at most.
pub(super) const MOST: usize = 20;

/// What is said where there is nothing to ask.
pub(super) const NOWHERE: &str = "no job that it is about is seen, and no `source` is named: nobody \
                                  is asked";

/// A session cluster that answers.
pub(super) struct Reached<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) base: String,
    /// Its `/config`.
    pub(super) config: Value,
}

/// The clusters a driver would ask for these jobs, and what was found on the way to them.
pub(super) async fn reach<'a>(
    clusters: &'a Clusters,
    jobs: &[Sight],
) -> (Vec<Reached<'a>>, Vec<Finding>) {
    let names: BTreeSet<&str> = match clusters.source() {
        Some(name) => BTreeSet::from([name]),
        None => jobs.iter().map(|job| job.cluster.as_str()).take(MOST).collect(),
    };
    let (mut reached, mut found) = (Vec::new(), Vec::new());
    if names.is_empty() {
        found.push(Ok(NOWHERE.to_owned()));
    }
    for name in names {
        let Some(cluster) = clusters.named(name) else {
            found.push(Err(format!(
                "its jobs are shown by `{name}`, which is no source of kind flink (name the one that \
                 runs them under `source`)"
            )));
            continue;
        };
        match ask(cluster).await {
            Ok(there) => {
                let version = there.config["flink-version"].as_str().unwrap_or("?");
                let at = redact_url(&there.base);
                found.push(Ok(bounded(&format!("Flink {version} answers at {at}"))));
                reached.push(there);
            }
            Err(error) => found.push(Err(error)),
        }
    }
    (reached, found)
}

async fn ask(cluster: &Cluster) -> Result<Reached<'_>, String> {
    let (base, _) = cluster.jobs().await.map_err(|error| bounded(&error.explain()))?;
    let config = cluster.get(&base, "config").await;
    let config = config.map_err(|error| bounded(&error.explain()))?;
    Ok(Reached { cluster, base, config })
}

/// Whether a file can be read that is not larger than this.
pub(super) async fn readable(file: &Path, largest: u64) -> Finding {
    let shown = file.display();
    let said = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let opened = tokio::fs::File::open(file).await.map_err(said)?;
    let about = opened.metadata().await.map_err(said)?;
    match about.len() {
        _ if !about.is_file() => Err(format!("{shown} is no file")),
        0 => Err(format!("{shown} is empty")),
        size if size > largest => Err(format!("{shown} has {size} bytes: too large")),
        _ => Ok(format!("{shown} can be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_or_it_is_said_why_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.jar");
        for (bytes, expected) in
            [("", "is empty"), ("12345", "can be read"), ("123456789", "9 bytes: too large")]
        {
            std::fs::write(&file, bytes).unwrap();
            let (Ok(said) | Err(said)) = readable(&file, 8).await;
            assert!(said.ends_with(expected) && said.contains("a.jar"), "{said}");
        }
        assert!(readable(dir.path(), 8).await.unwrap_err().ends_with("is no file"));
        let away = readable(&dir.path().join("away.jar"), 8).await.unwrap_err();
        assert!(away.contains("away.jar cannot be read: "), "{away}");
    }
}
