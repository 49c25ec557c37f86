//! Jars from Maven Central by Maven itself, which knows this machine's mirrors and proxies.
//!
//! A list names every jar with its digest and nothing is resolved beyond it: what runs is what was
//! listed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::debian::hex;
use super::{cache, python, tools};

const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(15);

/// The jars of one program.
#[derive(Debug)]
pub(crate) struct Jars {
    /// The program's name, for people and for the cache.
    pub(crate) name: &'static str,
    /// How much is downloaded.
    pub(crate) megabytes: u32,
    /// Lines of a sha256 and `group:artifact:version`.
    pub(crate) list: &'static str,
}

/// One line of a list.
struct Jar<'a> {
    digest: &'a str,
    group: &'a str,
    artifact: &'a str,
    version: &'a str,
}

impl Jar<'_> {
    fn file(&self) -> String {
        format!("{}-{}.jar", self.artifact, self.version)
    }
}

impl Jars {
    /// The folder with the jars and nothing else, downloaded on first use.
    ///
    /// # Errors
    /// When Maven is missing or fails, or a jar is not the listed one.
    pub(crate) async fn folder(&self) -> Result<PathBuf> {
        let jars = parse(self.list)?;
        let key = format!("{}-{}", self.name, python::short_hash(self.list.as_bytes()));
        let place = cache::root().join("maven").join(&key);
        let _lock = cache::lock(&key).await?;
        if place.is_dir() {
            return Ok(place);
        }
        tools::require(&["java", "mvn"])?;
        let partial = cache::root().join("maven").join(format!("{key}.partial"));
        cache::remove_dir(&partial)?;
        let fetched = partial.join("jars");
        cache::create_dir(&fetched)?;
        tools::note(&format!("downloading {}, {} MB, once …", self.name, self.megabytes));
        let pom = partial.join("pom.xml");
        std::fs::write(&pom, project(&jars)?)
            .with_context(|| format!("cannot write {}", pom.display()))?;
        let fetching = fetch(&pom, &fetched);
        tokio::time::timeout(DOWNLOAD_LIMIT, fetching)
            .await
            .with_context(|| format!("{} did not arrive in {DOWNLOAD_LIMIT:?}", self.name))?
            .with_context(|| format!("cannot download {}", self.name))?;
        check(&jars, &fetched)?;
        cache::publish(&fetched, &place)?;
        cache::remove_dir(&partial)?;
        Ok(place)
    }
}

fn parse(list: &str) -> Result<Vec<Jar<'_>>> {
    let lines = list.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (digest, coordinates) = line.split_once("  ").context("a line without a digest")?;
            let mut parts = coordinates.split(':');
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(group), Some(artifact), Some(version), None) => {
                    Ok(Jar { digest, group, artifact, version })
                }
                _ => anyhow::bail!("{coordinates:?} is not group:artifact:version"),
            }
        })
        .collect()
}

/// A project that depends on just these.
fn project(jars: &[Jar<'_>]) -> Result<String> {
    let mut pom = String::from(
        "<project>\n<modelVersion>4.0.0</modelVersion>\n\
         <groupId>weir.testbed</groupId><artifactId>jars</artifactId><version>1</version>\n\
         <packaging>pom</packaging>\n<dependencies>\n",
    );
    for Jar { group, artifact, version, .. } in jars {
        writeln!(
            pom,
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version><exclusions><exclusion><groupId>*</groupId>\
             <artifactId>*</artifactId></exclusion></exclusions></dependency>"
        )?;
    }
    pom.push_str("</dependencies>\n</project>\n");
    Ok(pom)
}

async fn fetch(pom: &Path, target: &Path) -> Result<()> {
    let repository = cache::root().join("maven").join("repository");
    // Maven writes into its repository without a lock of its own.
    let _lock = cache::lock("maven-repository").await?;
    let args = [
        "--batch-mode".to_owned(),
        "--quiet".to_owned(),
        "--file".to_owned(),
        pom.display().to_string(),
        format!("-Dmaven.repo.local={}", repository.display()),
        format!("-DoutputDirectory={}", target.display()),
        format!("{PLUGIN}:copy-dependencies"),
    ];
    tools::run("mvn", &args).await?;
    Ok(())
}

/// Nothing is missing, nothing is another, and there is nothing else.
fn check(jars: &[Jar<'_>], folder: &Path) -> Result<()> {
    let mut wanted: BTreeMap<String, &str> =
        jars.iter().map(|jar| (jar.file(), jar.digest)).collect();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digest = wanted.remove(&name).with_context(|| format!("{name} is not listed"))?;
        let found = hex(&Sha256::digest(std::fs::read(&path)?));
        ensure!(found == digest, "{name} has sha256 {found}, and not the listed {digest}");
    }
    ensure!(wanted.is_empty(), "Maven left out {:?}", wanted.keys());
    Ok(())
}
