//! Flink itself: the jars of one release, from the Python package that carries them.
//!
//! No Flink mirror keeps old releases at a stable address; the package registry does.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{cache, tools};

/// The archives the tests were written against, by sha256.
const PINNED: &[(&str, &str)] = &[
    ("1.15.4", "f4f622f55198073ee1be7db14ae2efe89af1a6fc9e4da8bc6e4759d7fa84f58a"),
    ("1.16.3", "d15df4185e9c507836b031879b64e18f68955dd7e90cd7d39b450513ed64ebbe"),
    ("1.17.2", "1d7f7de6d3288610d0fecb7b45235343e31d644d0eacbe5e560560ed9124dcdb"),
    ("1.18.1", "369ce11ab33e5e15cdd349db2f5412dcc2fad163b6a87aa93b927a3631bcca7f"),
    ("1.20.5", "e6aee62ea1a1fe7b32e28894ad079f3f1a50a372a4caac3df52405267f4228c8"),
    ("2.2.1", "74dc5546fbd9add8fbcdf1222a237e09491f9b80296241aef8676ec56f8e686e"),
    ("2.3.0", "38ece876553286b3a285cf344c2d2038f8a7ca10da5df54d5107250386d64151"),
];

const PACKAGE: &str = "apache-flink-libraries";

/// Per attempt; a slow line gets several, since what arrived whole is kept.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(30);

/// How large the archives are.
const SIZE: &str = "230 to 330 MB";

/// Time between two lines about a download.
const PROGRESS: Duration = Duration::from_secs(10);

/// The folder with the jars of a Flink release, downloaded on first use (230 to 330 MB).
///
/// # Errors
/// When a tool is missing, the download fails or its digest is not the pinned one.
pub(crate) async fn flink_lib(version: &str) -> Result<PathBuf> {
    let flinks = cache::root().join("flink");
    let place = flinks.join(version);
    if place.is_dir() {
        return Ok(place);
    }
    let _lock = cache::lock(&format!("flink-{version}")).await?;
    if place.is_dir() {
        return Ok(place);
    }
    tools::require_pip().await?;
    let partial = flinks.join(format!("{version}.partial"));
    let pinned = PINNED.iter().find(|(pinned, _)| *pinned == version).map(|(_, digest)| *digest);
    let archive = match find_archive(&partial) {
        Some(archive) => archive,
        None => download(version, pinned, &partial).await?,
    };
    let unpacked = partial.join("lib");
    cache::remove_dir(&unpacked)?;
    let unpack = unpack(&archive, pinned, &unpacked).await;
    // Kept only when this process is killed meanwhile: a bad archive must not be found again.
    std::fs::remove_file(&archive)
        .with_context(|| format!("cannot remove {}", archive.display()))?;
    unpack?;
    cache::publish(&unpacked, &place)?;
    cache::remove_dir(&partial)?;
    Ok(place)
}

async fn download(version: &str, pinned: Option<&str>, partial: &Path) -> Result<PathBuf> {
    let incoming = partial.join("incoming");
    cache::remove_dir(&incoming)?;
    cache::create_dir(&incoming)?;
    // With a hash in the requirement, pip refuses another archive before it runs any of its code.
    let (pin, warning) = match pinned {
        Some(digest) => (format!(" --hash=sha256:{digest}"), ""),
        None => (String::new(), ", whose digest is NOT pinned: only pip's own check protects it"),
    };
    tools::note(&format!("downloading Flink {version}, {SIZE}, once{warning} …"));
    let requirements = partial.join("requirements.txt");
    std::fs::write(&requirements, format!("{PACKAGE}=={version}{pin}\n"))
        .with_context(|| format!("cannot write {}", requirements.display()))?;
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"];
    let mut args: Vec<String> = pip.iter().map(|&arg| arg.to_owned()).collect();
    args.extend(["--disable-pip-version-check".to_owned(), "--dest".to_owned()]);
    args.push(incoming.display().to_string());
    args.extend(["--requirement".to_owned(), requirements.display().to_string()]);
    // pip fills a file in its temporary folder, which so tells how far it is.
    let env = [("TMPDIR", incoming.as_os_str())];
    let fetching = tokio::time::timeout(DOWNLOAD_LIMIT, tools::run_with("python3", &args, &env));
    let fetched = tokio::select! {
        fetched = fetching => fetched,
        never = tell_progress(version, &incoming) => match never {},
    };
    fetched
        .with_context(|| format!("{PACKAGE} {version} did not arrive in {DOWNLOAD_LIMIT:?}"))?
        .with_context(|| format!("cannot download {PACKAGE} {version}"))?;
    let fetched = find_archive(&incoming)
        .with_context(|| format!("pip left no archive of {PACKAGE} {version}"))?;
    let archive = partial.join(fetched.file_name().context("archive without a name")?);
    cache::publish(&fetched, &archive)?;
    Ok(archive)
}

async fn tell_progress(version: &str, folder: &Path) -> Infallible {
    let mut before = 0;
    loop {
        tokio::time::sleep(PROGRESS).await;
        let size = largest_archive(folder);
        let doing = if size > before { "so far" } else { "here, being checked" };
        before = size;
        tools::note(&format!("Flink {version}: {} MB {doing}", size / 1_000_000));
    }
}

/// Size of the largest archive below a folder: pip unpacks others beside it.
fn largest_archive(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => largest_archive(&entry.path()),
        Ok(meta) if is_archive(&entry.path()) => meta.len(),
        _ => 0,
    });
    sizes.max().unwrap_or(0)
}

fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz" || extension == "whl")
}

fn find_archive(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?;
    files
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.is_file() && is_archive(path))
}

async fn unpack(archive: &Path, pinned: Option<&str>, target: &Path) -> Result<()> {
    let script = cache::source_file("unpack.py");
    let digest = pinned.unwrap_or("-");
    let args = [script.as_os_str(), archive.as_os_str(), digest.as_ref(), target.as_os_str()];
    let found = tools::run("python3", &args).await?;
    if pinned.is_none() {
        tools::note(&format!("sha256 of {}: {}", archive.display(), found.trim()));
    }
    Ok(())
}
