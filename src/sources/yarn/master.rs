//! The calls to the ResourceManagers: a few per poll, however many applications there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::de::DeserializeOwned;

use crate::http::HttpClient;

use super::address::Master;
use super::answer::{self, Answer, Trouble};
use super::app::{self, App};
use super::config::YarnConfig;
use super::ha::{self, Ha, Standing};
use super::wire::{AppsAnswer, Info, InfoAnswer, Metrics, MetricsAnswer};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// 5,000 applications are some ten megabytes.
const LISTING: usize = 64 * MIB;
/// Applications of one cluster that are looked at.
const MAX_APPS: usize = 20_000;
const ALIVE: &str = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING";
const ENDED: &str = "FINISHED,FAILED,KILLED";

/// The ResourceManagers of a cluster.
#[derive(Debug)]
pub(super) struct Masters {
    config: Arc<YarnConfig>,
    all: Vec<Master>,
    client: Arc<HttpClient>,
    ha: Ha,
    traffic: Traffic,
}

/// What the calls of one poll cost.
#[derive(Debug, Default)]
struct Traffic {
    requests: AtomicU32,
    bytes: AtomicU64,
}

/// What the active one says.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) info: Info,
    /// Its pages.
    pub(super) web: String,
    /// Those alive first, then those that ended lately: an application may be in both.
    pub(super) apps: Vec<App>,
    pub(super) metrics: Option<Metrics>,
    /// Rows nobody could read, or too many.
    pub(super) left_out: usize,
}

/// Why there is no listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoListing {
    pub(super) error: String,
    /// It goes away by itself.
    pub(super) starting: bool,
    /// Asking again does not help: somebody has to change the configuration.
    pub(super) hopeless: bool,
}

impl Masters {
    pub(super) fn new(config: Arc<YarnConfig>, client: Arc<HttpClient>) -> Masters {
        let all = config.resource_managers.iter().map(|url| Master::of(url)).collect();
        Masters { config, all, client, ha: Ha::default(), traffic: Traffic::default() }
    }

    /// Requests and bytes since it was asked last.
    pub(super) fn cost(&mut self) -> (u32, u64) {
        let Traffic { requests, bytes } = std::mem::take(&mut self.traffic);
        (requests.into_inner(), bytes.into_inner())
    }

    /// The pages of the first one, for links.
    pub(super) fn first_web(&self) -> &str {
        self.all.first().map_or("", |master| &master.web)
    }

    /// Lists what is alive, and what ended at this time or later, ms.
    pub(super) async fn list(&mut self, ended_since: i64) -> Result<Listing, NoListing> {
        let (index, info) = self.active().await?;
        self.ha.settle(index);
        let Some(master) = self.all.get(index) else {
            return Err(NoListing::of("no ResourceManager is configured".to_owned(), false));
        };
        let asker = self.asker();
        let since = ended_since.max(0).to_string();
        // In this order: what ends meanwhile is in both rather than in neither.
        let failed = |trouble| no_longer(master, trouble);
        let alive = asker.apps(master, ALIVE, "").await.map_err(failed)?;
        let (ended, metrics) = tokio::join!(
            asker.apps(master, ENDED, &since),
            asker.read::<MetricsAnswer>(master, "metrics", &[], 256 * KIB),
        );
        let ended = ended.map_err(failed)?;
        let mut left_out = alive.left_out + ended.left_out;
        let mut apps = alive.apps;
        apps.extend(ended.apps);
        left_out += apps.len().saturating_sub(MAX_APPS);
        apps.truncate(MAX_APPS);
        let metrics = metrics.ok().map(|answer| answer.metrics);
        Ok(Listing { info, web: master.web.clone(), apps, metrics, left_out })
    }

    /// The active one: the last one that was, else any of the others.
    async fn active(&self) -> Result<(usize, Info), NoListing> {
        let count = self.all.len();
        let first = self.ha.first(count);
        let mut said = Vec::new();
        match self.standing(first).await {
            Standing::Active(info) => return Ok((first, info)),
            Standing::Not(trouble) => said.push((first, trouble)),
        }
        let others = self.ha.others(count);
        let asked = others.iter().copied().map(|index| self.standing(index));
        let standings = join_all(asked.collect::<Vec<_>>()).await;
        for (index, standing) in others.into_iter().zip(standings) {
            match standing {
                Standing::Active(info) => return Ok((index, info)),
                Standing::Not(trouble) => said.push((index, trouble)),
            }
        }
        let hopeless = said.iter().any(|(_, trouble)| *trouble == Trouble::Kerberos);
        let shown = |index: usize| self.all.get(index).map_or("", |m| &m.shown).to_owned();
        let said: Vec<(String, Trouble)> =
            said.into_iter().map(|(index, trouble)| (shown(index), trouble)).collect();
        let (error, starting) = ha::none_active(&said);
        Err(NoListing { error, starting, hopeless })
    }

    fn asker(&self) -> Asker<'_> {
        Asker { client: &self.client, traffic: &self.traffic, config: &self.config }
    }

    async fn standing(&self, index: usize) -> Standing {
        let Some(master) = self.all.get(index) else {
            return Standing::Not(Trouble::Other("no ResourceManager is configured".to_owned()));
        };
        match self.asker().read::<InfoAnswer>(master, "info", &[], 64 * KIB).await {
            Ok(answer) => ha::standing(answer.info, &master.shown),
            Err(trouble) => Standing::Not(trouble),
        }
    }
}

impl NoListing {
    fn of(error: String, starting: bool) -> NoListing {
        NoListing { error, starting, hopeless: false }
    }
}

/// It was active a moment ago.
fn no_longer(master: &Master, trouble: Trouble) -> NoListing {
    let hopeless = trouble == Trouble::Kerberos;
    let (error, starting) = match trouble {
        Trouble::Standby | Trouble::NoActive => {
            (format!("{} is not the active ResourceManager any more", master.shown), true)
        }
        Trouble::Starting(why) => (why, true),
        Trouble::Kerberos => (answer::kerberos(&master.shown), false),
        Trouble::Other(why) => (why, false),
    };
    NoListing { error, starting, hopeless }
}

/// Rows of a listing that could be read.
struct Rows {
    apps: Vec<App>,
    left_out: usize,
}

/// Asks one of them.
#[derive(Clone, Copy)]
struct Asker<'a> {
    client: &'a HttpClient,
    traffic: &'a Traffic,
    config: &'a YarnConfig,
}

impl Asker<'_> {
    async fn apps(&self, master: &Master, states: &str, since: &str) -> Result<Rows, Trouble> {
        let (types, tags) = (self.config.application_types.join(","), self.config.tags.join(","));
        let parameters = [
            ("states", states),
            ("applicationTypes", types.as_str()),
            ("applicationTags", tags.as_str()),
            ("finishedTimeBegin", since),
            // Of each waiting container one: a listing could be huge.
            ("deSelects", "resourceRequests"),
        ];
        let answer = self.read::<AppsAnswer>(master, "apps", &parameters, LISTING).await?;
        let rows = answer.apps.unwrap_or_default().app;
        let total = rows.len();
        let mut unreadable = total;
        let mut apps = Vec::with_capacity(total);
        for row in rows {
            let kind = row.application_type.clone();
            let Some(app) = app::read(row) else { continue };
            unreadable -= 1;
            if app::is_wanted(self.config, &app, kind.as_deref()) {
                apps.push(app);
            }
        }
        Ok(Rows { apps, left_out: unreadable })
    }

    async fn read<T: DeserializeOwned>(
        &self,
        master: &Master,
        path: &str,
        parameters: &[(&str, &str)],
        cap: usize,
    ) -> Result<T, Trouble> {
        let user = self.config.user.as_deref().unwrap_or("");
        let mut all = vec![("user.name", user)];
        all.extend_from_slice(parameters);
        let url = master.ask(path, &all);
        let headers =
            HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.client.request(Method::GET, &url, headers, None, cap).await;
        let answer = answer.map_err(|error| answer::of_error(&error))?;
        self.traffic.bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        let wants = answer.headers.get_all(WWW_AUTHENTICATE).iter();
        let wants: Vec<&str> = wants.filter_map(|value| value.to_str().ok()).collect();
        let authenticate = wants.join(", ");
        let said =
            Answer { status: answer.status, authenticate: &authenticate, body: &answer.body };
        match answer::trouble(&master.shown, said) {
            // The command that gives the headers is asked again by itself.
            Some(Trouble::Kerberos) if self.config.auth.is_some() => {
                return Err(Trouble::Other(answer::expired(&master.shown)));
            }
            Some(trouble) => return Err(trouble),
            None => {}
        }
        answer.json().map_err(|error| answer::of_error(&error))
    }
}
