//! `weir doctor`: what is wrong with a source in one line, and the exit code that goes with it.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::bad_cli::ask;
use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};

const RECEIVERS: &str = "receivers: [{ name: me, channels: [console] }]\n";

#[tokio::test]
async fn each_source_is_said_to_be_well_or_what_it_lacks() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
    let config = format!(
        "sources:
  - flink: {{ name: well, urls: [\"{}\"] }}
  - flink: {{ name: away, urls: [\"http://127.0.0.1:1\"] }}
{RECEIVERS}",
        fleet.url(0)
    );
    std::fs::write(dir.path().join("weir.yaml"), config)?;

    let (code, out, err) = ask(dir.path(), &["doctor"]).await?;
    let lines: Vec<&str> = out.lines().collect();
    ensure!(code == 1 && lines.len() == 2, "{code} {out} {err}");
    ensure!(lines[0].starts_with("ok      well (flink): Flink 1.20"), "{out}");
    ensure!(lines[0].contains("2 live jobs, 1 failed ["), "{out}");
    ensure!(lines[1].starts_with("FAILED  away (flink): "), "{out}");
    ensure!(lines[1].contains("127.0.0.1:1"), "{out}");

    let (code, out, _) = ask(dir.path(), &["doctor", "--source", "well"]).await?;
    ensure!(code == 0 && out.lines().count() == 1, "{code} {out}");
    let (code, out, err) = ask(dir.path(), &["doctor", "--source", "wel"]).await?;
    ensure!(
        code == 2 && err.contains("no source is named `wel` (sources: well, away)"),
        "{out}{err}"
    );
    let (code, out, _) = ask(dir.path(), &["doctor", "--output", "json"]).await?;
    let found: Value = serde_json::from_str(&out)?;
    ensure!(code == 1 && found[1]["health"] == "failed" && found[0]["kind"] == "flink", "{out}");
    // Nothing was begun: no store, no lock.
    ensure!(std::fs::read_dir(dir.path())?.count() == 1);
    Ok(())
}
