//! What the demo can be told.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::testbed::flink::DEFAULT_VERSION;

/// A story of three minutes has everything in it.
const LENGTH: Duration = Duration::from_mins(3);

/// A real Flink, five jobs, and what people hear of them.
#[derive(Debug, clap::Parser)]
#[command(name = "demo", max_term_width = 100)]
pub(crate) struct Args {
    /// Flink release to start; the first time it is downloaded (230 to 330 MB).
    #[arg(long, default_value = DEFAULT_VERSION, value_name = "VERSION")]
    pub(crate) flink: String,
    /// How long to play, such as 3m. Default: until Ctrl-C on a terminal, else three minutes.
    #[arg(long = "for", value_name = "DURATION", value_parser = weir::config::de::duration::parse)]
    length: Option<Duration>,
    /// Language of cards and mails: en or zh.
    #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
    pub(crate) language: String,
    /// The weir to show. Default: the one built beside the demo.
    #[arg(long, value_name = "FILE")]
    weir: Option<PathBuf>,
}

impl Args {
    /// How long to play; none: until somebody stops it.
    pub(crate) fn length(&self) -> Option<Duration> {
        self.length.or_else(|| (!std::io::stdin().is_terminal()).then_some(LENGTH))
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
            bail!("there is no {}: `make demo` builds it, or `cargo build`", path.display());
        }
        Ok(path)
    }
}
