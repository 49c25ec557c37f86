//! Python with a few pinned packages, for stand-ins that exist only in Python.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::{cache, tools};

/// The python of a cached environment that has these packages, each given as `name==version`.
///
/// # Errors
/// When Python or pip is missing, or a package cannot be installed.
pub(crate) async fn python_with(packages: &[&str]) -> Result<PathBuf> {
    let name = short_hash(packages.join(" ").as_bytes());
    let folder = cache::root().join("python").join(&name);
    let python = folder.join("bin").join("python");
    // An environment knows its own path, so it is built in place and marked when it is whole.
    let whole = folder.join("whole");
    if whole.is_file() {
        return Ok(python);
    }
    let _lock = cache::lock(&format!("python-{name}")).await?;
    if whole.is_file() {
        return Ok(python);
    }
    tools::require_pip().await?;
    cache::remove_dir(&folder)?;
    cache::create_dir(&folder)?;
    tools::note(&format!("installing {} for python3", packages.join(", ")));
    if let Err(error) = install_venv(&folder, &python, packages).await {
        tools::note(&format!("no venv ({error:#}), installing beside it"));
        cache::remove_dir(&folder)?;
        install_target(&folder, &python, packages).await?;
    }
    write(&whole, &packages.join("\n"))?;
    Ok(python)
}

async fn install_venv(folder: &Path, python: &Path, packages: &[&str]) -> Result<()> {
    let folder = folder.to_string_lossy();
    tools::run("python3", &["-m", "venv", folder.as_ref()]).await?;
    let mut args = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    args.extend_from_slice(packages);
    tools::run(&python.to_string_lossy(), &args).await?;
    Ok(())
}

/// For systems whose Python comes without `ensurepip`: a python that also looks into a folder.
async fn install_target(folder: &Path, python: &Path, packages: &[&str]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let target = folder.join("site").display().to_string();
    let mut args = vec!["-m", "pip", "install", "--quiet", "--target", target.as_str()];
    args.extend_from_slice(packages);
    tools::run("python3", &args).await?;
    cache::create_dir(&folder.join("bin"))?;
    write(python, &format!("#!/bin/sh\nPYTHONPATH='{target}' exec python3 \"$@\"\n"))?;
    std::fs::set_permissions(python, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", python.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Enough of a digest to name a folder.
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let head = digest.iter().take(8).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
    format!("{head:016x}")
}
