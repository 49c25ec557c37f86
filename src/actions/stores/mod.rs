//! Where checkpoints are kept: whether one can still be restored from, before a job is started from
//! it. Whoever cannot look says so; nothing is called gone because it was not seen.

mod config;
mod local;
mod place;
mod s3;

use std::path::PathBuf;

use futures_util::StreamExt as _;

pub use config::StoreConfig;

use super::drivers::BuildError;
use local::Local;
use place::{Place, place};
use s3::Store;

/// Looks that are under way at once.
const AT_ONCE: usize = 8;

/// What was seen at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Its `_metadata` is there.
    There,
    /// It is gone, and whoever looked would see it.
    Gone,
    /// Nobody could look, and why; with the way out, without secrets.
    Unknown(String),
}

/// All places that can be looked at.
#[derive(Debug, Default)]
pub struct Stores {
    local: Local,
    s3: Vec<Store>,
}

impl Stores {
    /// Folders of this host, and these. Nobody is asked yet.
    ///
    /// # Errors
    /// When something in an entry cannot be used; the text says what and the way out.
    pub fn build(configs: &[StoreConfig]) -> Result<Stores, BuildError> {
        let mut stores = Stores::default();
        for config in configs {
            if let Some((what, hint)) = config.problems().into_iter().next() {
                return Err(BuildError(format!("{}: {what} ({hint})", config.prefix)));
            }
            let Place::Object { scheme, bucket, mut keys } = place(&config.prefix) else {
                return Err(BuildError(format!("{} names no bucket", config.prefix)));
            };
            let below = keys.swap_remove(0);
            stores.s3.push(Store::new(config, (scheme, bucket, below))?);
        }
        Ok(stores)
    }

    /// What is at this path, with the reason where nobody can tell.
    pub async fn look(&self, path: &str) -> Look {
        match place(path) {
            Place::Local(paths) => self.look_here(paths).await,
            Place::Object { scheme, bucket, keys } => {
                let fits = |store: &&Store| store.fits(&scheme, &bucket, keys.first()?);
                let known = self.s3.iter().filter(|store| fits(store).is_some());
                match known.max_by_key(fits) {
                    Some(store) => store.look(&keys).await,
                    None => no_entry(path),
                }
            }
            Place::Elsewhere => no_entry(path),
        }
    }

    /// Each entry by its prefix: whether it answers and takes the keys; nothing is changed.
    pub async fn examine(&self) -> Vec<(String, Result<String, String>)> {
        let mut found = Vec::new();
        for store in &self.s3 {
            found.push((store.prefix().to_owned(), store.examine().await));
        }
        found
    }

    async fn look_here(&self, paths: Vec<PathBuf>) -> Look {
        let mut first = None;
        for path in paths {
            match self.local.look(path).await {
                Look::There => return Look::There,
                // Flink writes paths as they are: that spelling counts.
                seen => first = first.or(Some(seen)),
            }
        }
        first.unwrap_or_else(|| Look::Unknown("it names no folder".to_owned()))
    }

    /// Whether this path can be restored from; none: nobody could look, which is logged.
    pub async fn check(&self, path: &str) -> Option<bool> {
        match self.look(path).await {
            Look::There => Some(true),
            Look::Gone => Some(false),
            Look::Unknown(why) => {
                tracing::info!(path, why, "cannot tell whether a checkpoint is there");
                None
            }
        }
    }

    /// The same of several paths, in their order.
    pub async fn check_all(&self, paths: &[String]) -> Vec<(String, Option<bool>)> {
        let check = |path: String| async move {
            let found = self.check(&path).await;
            (path, found)
        };
        futures_util::stream::iter(paths.to_vec()).map(check).buffered(AT_ONCE).collect().await
    }
}

fn no_entry(path: &str) -> Look {
    let scheme = path.split(':').next().unwrap_or_default();
    Look::Unknown(format!(
        "no entry of `checkpoint_stores` has a prefix of this {scheme} path (add one if it speaks \
         S3's protocol)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores(prefixes: &[(&str, &str)]) -> Stores {
        let config = |(prefix, endpoint): &(&str, &str)| {
            let text = format!(
                "{{ prefix: '{prefix}', endpoint: '{endpoint}', access_key: a, secret_key: s }}"
            );
            serde_saphyr::from_str(&text).unwrap()
        };
        Stores::build(&prefixes.iter().map(config).collect::<Vec<_>>()).unwrap()
    }

    #[tokio::test]
    async fn the_longest_prefix_that_fits_is_asked() {
        // Nobody listens on port 1: who was asked is told by the reason.
        let at = "http://127.0.0.1:1";
        let stores = stores(&[
            ("s3://b", at),
            ("s3://b/flink/prod", at),
            ("s3a://b/flink", at),
            ("oss://b", at),
        ]);
        let table = [
            ("s3://b/flink/prod/j/chk-1", "s3://b/flink/prod: "),
            ("s3p://b/flink/production/j/chk-1", "s3a://b/flink: "),
            ("s3a://b/flinker/chk-1", "s3://b: "),
            ("oss://b/flink/chk-1", "oss://b: "),
            ("s3://c/flink/chk-1", "no entry"),
            ("s3n://b/flink/chk-1", "no entry"),
            ("hdfs://nn/flink/chk-1", "no entry"),
            ("relative/chk-1", "no entry"),
        ];
        for (path, who) in table {
            let Look::Unknown(why) = stores.look(path).await else { panic!("{path}") };
            assert!(why.starts_with(who), "{path}: {why}");
            assert!(who == "no entry" || why.contains("cannot connect"), "{why}");
        }
    }

    #[tokio::test]
    async fn all_paths_come_back_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().display();
        let path = |n: usize| format!("file:{root}/5fb8c1a2d3e4f5061728394a5b6c7d8e/chk-{n}");
        for n in (0..40).filter(|n| n % 3 == 0) {
            let folder =
                dir.path().join("5fb8c1a2d3e4f5061728394a5b6c7d8e").join(format!("chk-{n}"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("_metadata"), "bytes").unwrap();
        }
        let mut paths: Vec<String> = (0..40).map(path).collect();
        paths.push("hdfs://nn/ck/chk-1".to_owned());
        let found = Stores::default().check_all(&paths).await;
        assert_eq!(found.len(), 41);
        for (n, (path, seen)) in found.iter().enumerate() {
            let expected = if n == 40 { None } else { Some(n % 3 == 0) };
            assert_eq!((path, *seen), (&paths[n], expected));
        }
    }

    #[tokio::test]
    async fn a_path_is_also_read_as_a_uri() {
        let dir = tempfile::tempdir().unwrap();
        let job = "5fb8c1a2d3e4f5061728394a5b6c7d8e";
        let folder = dir.path().join("my ck").join(job).join("chk-7");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("_metadata"), "bytes").unwrap();
        let root = dir.path().display();
        let stores = Stores::default();
        assert_eq!(stores.check(&format!("file:{root}/my ck/{job}/chk-7")).await, Some(true));
        assert_eq!(stores.check(&format!("file://{root}/my%20ck/{job}/chk-7")).await, Some(true));
        assert_eq!(stores.check(&format!("{root}/my ck/{job}/chk-6")).await, Some(false));
        // As it is written nothing proves anything.
        assert_eq!(stores.check(&format!("file://{root}/my%20ck/{job}/chk-6")).await, None);
    }

    #[test]
    fn a_mistake_in_an_entry_names_it() {
        let config = serde_saphyr::from_str("{ prefix: 's3://b', access_key: a }").unwrap();
        let error = Stores::build(&[config]).unwrap_err();
        assert!(error.0.starts_with("s3://b: `secret_key_file` is missing"), "{error}");
    }
}
