//! The secret that makes links in messages: made once per installation, kept in the store.

use anyhow::{Context as _, Result, anyhow};

use crate::config::Config;
use crate::model::{Change, Loaded};
use crate::notify::LinkKey;
use crate::store::Store;

/// Name of the value in the store.
const KEY: &str = "links/key";

/// The secret, where messages have links. It is taken out of what was loaded: neither the engine
/// nor the history needs it.
pub(super) async fn key(
    config: &Config,
    store: &dyn Store,
    loaded: &mut Loaded,
) -> Result<Option<LinkKey>> {
    let kept = loaded.meta.iter().find(|(name, _)| name == KEY).map(|(_, value)| value.clone());
    loaded.meta.retain(|(name, _)| name != KEY);
    if !config.web.links || config.web.external_url.is_none() {
        return Ok(None);
    }
    if let Some(key) = kept.as_deref().and_then(LinkKey::parse) {
        return Ok(Some(key));
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("this machine gives no random bytes: {e}"))?;
    let key = LinkKey::new(bytes);
    let change = Change::Meta { key: KEY.to_owned(), value: key.reveal() };
    let batch = format!("{}-links-{}", loaded.installation, loaded.max_message);
    store.commit(&batch, &[change]).await.context("the key of links cannot be kept")?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ts;
    use crate::store::SqliteStore;

    fn config(web: &str) -> Config {
        let text = format!(
            "web: {{ {web} }}\nsources: [{{ flink: {{ name: p, urls: [\"http://jm:8081\"] }} }}]\n\
             receivers: [{{ name: me, channels: [console] }}]\n"
        );
        crate::config::parse(&text, "weir.yaml", &|_| None).unwrap().0
    }

    #[tokio::test]
    async fn it_is_made_once_and_nobody_else_sees_it() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("weir.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        let with = config("external_url: \"https://weir.example.com/\"");
        let mut known = Vec::new();
        for _ in 0..2 {
            let mut loaded = store.load(Ts(0)).await.unwrap();
            let key = key(&with, &store, &mut loaded).await.unwrap().unwrap();
            assert!(!format!("{loaded:?}").contains(&key.reveal()));
            known.push(key.reveal());
        }
        assert_eq!(known[0], known[1]);
        assert_ne!(known[0], "0".repeat(64));
        for without in ["", "external_url: \"https://weir.example.com/\", links: false"] {
            let mut loaded = store.load(Ts(0)).await.unwrap();
            assert!(key(&config(without), &store, &mut loaded).await.unwrap().is_none());
            assert!(!format!("{loaded:?}").contains(&known[0]));
        }
    }
}
