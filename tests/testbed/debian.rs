//! Programs as Debian ships them.
//!
//! A package comes from the mirrors this machine is configured for, is checked by `apt` against
//! their signed index, and is only unpacked: nothing is installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{cache, tools};

const DOWNLOAD_LIMIT: Duration = Duration::from_mins(5);

/// A package of Debian's.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: &'static str,
    /// Others that are unpacked into the same folder, such as libraries few machines have.
    pub(crate) also: &'static [&'static str],
    /// The folder of the cache it is kept in.
    pub(crate) folder: &'static str,
    /// How much is downloaded.
    pub(crate) megabytes: u32,
    /// Archives by sha256; others are named as what they are.
    pub(crate) pinned: &'static [(&'static str, &'static str)],
}

impl Package {
    /// The folder it is unpacked in, downloaded on first use and then made ready.
    ///
    /// # Errors
    /// When this machine has no `apt`, its mirrors do not have the package or do not answer, or its
    /// digest is not the pinned one.
    pub(crate) async fn unpacked(
        &self,
        make_ready: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let name = self.name;
        let folder = cache::root().join(self.folder);
        let place = folder.join("debian");
        let _lock = cache::lock(name).await?;
        if place.is_dir() {
            return Ok(place);
        }
        tools::require(&["apt-get", "dpkg-deb"])?;
        let partial = folder.join("partial");
        cache::remove_dir(&partial)?;
        cache::create_dir(&partial)?;
        tools::note(&format!("downloading {name}, {} MB, once …", self.megabytes));
        let names: Vec<&str> = std::iter::once(name).chain(self.also.iter().copied()).collect();
        let archives = tokio::time::timeout(DOWNLOAD_LIMIT, download(&names, &partial))
            .await
            .with_context(|| format!("{name} did not arrive in {DOWNLOAD_LIMIT:?}"))??;
        let unpacked = partial.join("unpacked");
        for archive in &archives {
            check(self.pinned, archive)?;
            let args = [OsStr::new("-x"), archive.as_os_str(), unpacked.as_os_str()];
            tools::run("dpkg-deb", &args).await?;
        }
        make_ready(&unpacked)?;
        cache::publish(&unpacked, &place)?;
        cache::remove_dir(&partial)?;
        Ok(place)
    }
}

/// The variable by which programs find the libraries unpacked beside them.
pub(crate) fn libraries(unpacked: &Path) -> (String, String) {
    let usr = unpacked.join("usr").join("lib");
    let root = unpacked.join("lib");
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut folders: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| is_multiarch(path)).collect();
        folders.push(folder.to_owned());
        folders
    };
    let folders: Vec<String> =
        [below(&usr), below(&root)].concat().iter().map(|f| f.display().to_string()).collect();
    ("LD_LIBRARY_PATH".to_owned(), folders.join(":"))
}

/// Runs one of the programs unpacked there to its end, as [`tools::run`] does.
///
/// # Errors
/// When it fails, with its last words.
pub(crate) async fn run<S: AsRef<OsStr>>(
    unpacked: &Path,
    program: &str,
    args: &[S],
) -> Result<String> {
    let (name, value) = libraries(unpacked);
    tools::run_with(program, args, &[(name.as_str(), OsStr::new(&value))]).await
}

/// Such as `x86_64-linux-gnu`.
fn is_multiarch(path: &Path) -> bool {
    path.is_dir() && path.to_string_lossy().ends_with("-linux-gnu")
}

async fn download(names: &[&str], folder: &Path) -> Result<Vec<PathBuf>> {
    let words: Vec<&str> = std::iter::once("download").chain(names.iter().copied()).collect();
    if let Err(first) = apt(folder, &[], &words).await {
        // A fresh machine has no lists of packages: read them into a folder of our own.
        let own = own_state(folder)?;
        apt(folder, &own, &["update"]).await.with_context(|| format!("{first:#}"))?;
        apt(folder, &own, &words).await?;
    }
    let entries = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let mut archives: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "deb")).collect();
    archives.sort();
    ensure!(archives.len() == names.len(), "apt-get left {archives:?} of {names:?}");
    Ok(archives)
}

fn own_state(folder: &Path) -> Result<Vec<String>> {
    let (lists, kept) = (folder.join("lists"), folder.join("kept"));
    cache::create_dir(&lists.join("partial"))?;
    cache::create_dir(&kept.join("archives").join("partial"))?;
    Ok(vec![
        format!("Dir::State::Lists={}", lists.display()),
        format!("Dir::Cache={}", kept.display()),
    ])
}

/// `apt-get` leaves what it downloads in the working folder.
async fn apt(folder: &Path, options: &[String], words: &[&str]) -> Result<()> {
    let mut args = vec!["-c".to_owned(), "cd \"$0\" && exec apt-get -qq \"$@\"".to_owned()];
    args.push(folder.display().to_string());
    args.extend(options.iter().flat_map(|option| ["-o".to_owned(), option.clone()]));
    args.extend(words.iter().map(|&word| word.to_owned()));
    tools::run("sh", &args).await.with_context(|| format!("cannot get {words:?}"))?;
    Ok(())
}

fn check(pinned: &[(&str, &str)], archive: &Path) -> Result<()> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().replace("%3a", ":");
    let found = hex(&Sha256::digest(std::fs::read(archive)?));
    match pinned.iter().find(|(pinned, _)| *pinned == name) {
        Some((_, digest)) => {
            ensure!(found == *digest, "{name} has sha256 {found}, and not the pinned {digest}");
        }
        None => tools::note(&format!("{name} is not pinned, only apt has checked it: {found}")),
    }
    Ok(())
}

/// Bytes as two digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}
