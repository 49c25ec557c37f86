//! Flink's command line on the machine of somebody who submits to the YARN cluster: a program `flink`
//! that finds what Flink's own start script finds, in the environment and nowhere else.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::super::flink_conf::Version;
use super::super::{cache, download};
use super::flink::{CLIENT, FlinkApp};
use super::{Yarn, conf};

/// A program `flink` and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    /// The program.
    pub(crate) program: PathBuf,
    /// Hadoop's configuration, as `HADOOP_CONF_DIR` names it.
    pub(crate) hadoop_conf: PathBuf,
    /// Hadoop's jars, as `hadoop classpath` prints them.
    pub(crate) hadoop_jars: String,
    /// The job of the application, as `orders.jar` in a folder of its own.
    pub(crate) jars: PathBuf,
}

/// What goes wrong with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// It ends with 1 before it has asked YARN for anything.
    Early,
    /// It ends with 1 although YARN took the application.
    Late,
}

impl Mishap {
    const fn file(self) -> &'static str {
        match self {
            Mishap::Early => "early",
            Mishap::Late => "late",
        }
    }
}

impl Launcher {
    /// Makes the next call go wrong, once.
    ///
    /// # Errors
    /// When the order cannot be written.
    pub(crate) fn next(&self, mishap: Mishap) -> Result<()> {
        let path = self.program.with_file_name(mishap.file());
        std::fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether that has happened.
    pub(crate) fn has_met(&self, mishap: Mishap) -> bool {
        !self.program.with_file_name(mishap.file()).exists()
    }

    /// How often it was called.
    ///
    /// # Errors
    /// When its notes are there and unreadable.
    pub(crate) fn calls(&self) -> Result<usize> {
        let path = self.program.with_file_name("calls.log");
        if !path.exists() {
            return Ok(0);
        }
        let text = std::fs::read_to_string(&path);
        Ok(text.with_context(|| format!("cannot read {}", path.display()))?.lines().count())
    }
}

impl Yarn {
    /// A program `flink` with the settings of this application, whose job is `NAME.jar` beside it.
    ///
    /// # Errors
    /// When the job does not compile or a file cannot be written.
    pub(crate) async fn launcher(&self, app: &FlinkApp) -> Result<Launcher> {
        let version = Version::parse(&app.version)?;
        let lib = download::flink_lib(&app.version).await?;
        let folder = self.dir().join("launcher").join(&app.name);
        let settings = app.write_settings(version, &lib, &folder)?;
        let jars = folder.join("jobs");
        cache::create_dir(&jars)?;
        let jar = super::super::job::jar(&app.version).await?;
        std::fs::copy(&jar, jars.join(format!("{}.jar", app.name)))
            .with_context(|| format!("cannot copy {}", jar.display()))?;
        let program = folder.join("flink");
        write_program(&program, &self.script(&lib, &settings))?;
        Ok(Launcher {
            program,
            hadoop_conf: conf::folder(self.dir(), conf::CLIENT),
            hadoop_jars: format!("{}/*", self.jars.display()),
            jars,
        })
    }

    /// Flink's libraries are its own; Hadoop's are the caller's to name.
    fn script(&self, lib: &Path, settings: &Path) -> String {
        let (lib, settings) = (lib.display(), settings.display());
        let java = self.java(256).join(" ");
        format!(
            r#"#!/bin/sh
here=${{0%/*}}
echo "$*" >> "$here/calls.log"
if [ -e "$here/early" ]; then rm "$here/early"; echo "no route to the cluster" >&2; exit 1; fi
export FLINK_CONF_DIR={settings}
{java} -Dlog4j.configurationFile={settings}/log4j.properties \
  -cp "{lib}/*:$HADOOP_CLASSPATH:$HADOOP_CONF_DIR" {CLIENT} "$@"
code=$?
if [ -e "$here/late" ]; then rm "$here/late"; echo "the cluster did not answer in time" >&2; exit 1; fi
exit $code
"#
        )
    }
}

/// Writes a program that can be started.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_program(path: &Path, text: &str) -> Result<()> {
    let words = || format!("cannot write {}", path.display());
    std::fs::write(path, text).with_context(words)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).with_context(words)
}
