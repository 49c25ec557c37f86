//! Programs in Go, compiled once: modules whose digests a `go.sum` of ours has.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{cache, python, tools};

/// Some thousand packages on two cores.
const BUILT_WITHIN: Duration = Duration::from_hours(1);

/// One program.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// What it is called.
    pub(crate) name: &'a str,
    /// Folder beside this file with its `go.mod`, and of the cache.
    pub(crate) folder: &'a str,
    /// Files there that it is made of.
    pub(crate) files: &'a [&'a str],
    /// Its main package.
    pub(crate) package: &'a str,
    /// Further flags of the linker.
    pub(crate) linker: &'a str,
    /// Its version and how long that takes, for people.
    pub(crate) note: &'a str,
}

impl Program<'_> {
    /// The program, compiled on first use.
    ///
    /// # Errors
    /// When Go is missing or fails.
    pub(crate) async fn compiled(&self) -> Result<PathBuf> {
        let mut all = Vec::new();
        for file in self.files {
            let path = cache::source_file(self.folder).join(file);
            all.extend(
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
            );
        }
        let key = format!("{}-{}", self.name, python::short_hash(&all));
        let place = cache::root().join(self.folder).join(&key);
        let program = place.join(self.name);
        let _lock = cache::lock(&key).await?;
        if program.is_file() {
            return Ok(program);
        }
        tools::require(&["go"])?;
        let partial = cache::root().join(self.folder).join(format!("{key}.partial"));
        cache::remove_dir(&partial)?;
        cache::create_dir(&partial)?;
        tools::note(&format!("compiling {} {} …", self.name, self.note));
        let args = [
            "build".to_owned(),
            "-C".to_owned(),
            cache::source_file(self.folder).display().to_string(),
            "-mod=readonly".to_owned(),
            "-trimpath".to_owned(),
            format!("-ldflags=-s -w {}", self.linker),
            "-o".to_owned(),
            partial.join(self.name).display().to_string(),
            self.package.to_owned(),
        ];
        let env: [(&str, &std::ffi::OsStr); 1] = [("CGO_ENABLED", "0".as_ref())];
        let building = tokio::time::timeout(BUILT_WITHIN, tools::run_with("go", &args, &env));
        building.await.with_context(|| format!("go was not done in {BUILT_WITHIN:?}"))??;
        cache::publish(&partial, &place)?;
        Ok(program)
    }
}
