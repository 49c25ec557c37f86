//! What a run can be told.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::matrix::list::{ALL, Scenario};

/// Plays every way a Flink job goes wrong on real Flinks, with the real weir watching.
#[derive(Debug, clap::Parser)]
#[command(name = "scenarios", max_term_width = 100)]
pub(crate) struct Args {
    /// Releases, one column each; what is missing is downloaded (230 to 330 MB).
    #[arg(long, value_delimiter = ',', default_value = "1.17.2,1.20.5,2.3.0")]
    pub(crate) flink: Vec<String>,
    /// Only these scenarios.
    #[arg(long, value_delimiter = ',', num_args = 1.., value_name = "NAME")]
    only: Vec<String>,
    /// File whose generated part is replaced by the table; always printed too.
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,
    /// How often Weir looks.
    #[arg(long, default_value = "2s", value_parser = weir::config::de::duration::parse)]
    pub(crate) poll: Duration,
    /// The weir to try. Default: the one built beside this program.
    #[arg(long, value_name = "FILE")]
    weir: Option<PathBuf>,
}

impl Args {
    /// What is to be played.
    pub(crate) fn scenarios(&self) -> Result<Vec<&'static Scenario>> {
        if self.table.is_some() && !self.only.is_empty() {
            bail!("--table wants all scenarios: leave out --only");
        }
        if let Some(unknown) = self.only.iter().find(|o| ALL.iter().all(|s| s.name != **o)) {
            let names: Vec<&str> = ALL.iter().map(|s| s.name).collect();
            bail!("there is no scenario {unknown:?}; there are {}", names.join(", "));
        }
        let wanted = |s: &&Scenario| self.only.is_empty() || self.only.iter().any(|o| o == s.name);
        Ok(ALL.iter().filter(wanted).collect())
    }

    /// The real program, which cargo puts one folder above its examples.
    pub(crate) fn weir_binary(&self) -> Result<PathBuf> {
        let path = if let Some(path) = &self.weir {
            path.clone()
        } else {
            let own = std::env::current_exe().context("where is this program?")?;
            let folder = own.parent().and_then(std::path::Path::parent);
            folder.context("where is cargo's target folder?")?.join("weir")
        };
        if !path.is_file() {
            bail!("there is no {}: `make scenarios` builds it", path.display());
        }
        Ok(path)
    }
}
