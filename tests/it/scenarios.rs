//! A few of the scenarios of `make scenarios`, with the same drivers and the same expectations.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::matrix::expect::Expected;
use crate::matrix::list::{ALL, Scenario};
use crate::matrix::rounds;
use crate::matrix::stage::Setting;
use crate::testbed::flink::{DEFAULT_VERSION, release};

/// Trouble of several kinds, a start that fails, and what must stay silent.
const SMOKE: [&str; 6] = [
    "clean-failure",
    "fast-loop",
    "checkpoint-failures",
    "class-missing",
    "bad-savepoint",
    "resubmitted",
];

#[tokio::test]
async fn what_goes_wrong_is_told_and_what_is_done_on_purpose_is_not() -> Result<()> {
    let setting = Setting {
        weir: crate::binary().to_owned(),
        version: release(DEFAULT_VERSION),
        poll: Duration::from_secs(2),
        expected: Expected::read()?,
    };
    let find = |name: &str| ALL.iter().find(|s| s.name == name).context("no such scenario");
    let scenarios: Vec<&'static Scenario> =
        SMOKE.iter().map(|name| find(name)).collect::<Result<_>>()?;
    let cells = rounds::play(&setting, &scenarios).await?;
    ensure!(cells.len() == SMOKE.len(), "{cells:#?}");
    for (name, cell) in &cells {
        // Late on a machine that compiles meanwhile is no failure of the smoke.
        ensure!(cell.nothing_missed_or_false(), "{name}: {cell}");
    }
    Ok(())
}
