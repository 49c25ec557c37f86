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

#[tokio::test]
async fn what_restarts_need_is_looked_over() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    let config = |more: &str, stores: &str| {
        format!(
            "sources:
  - flink: {{ name: c0, urls: [\"{}\"] }}
restarts:
  - name: zero
    matchers: ['job_name=\"job-0\"']
    driver: {{ command: {{ argv: [/bin/sh, -c, \"true\", \"{{{{checkpoint}}}}\"] }} }}
  - name: two
    matchers: ['job_name=~\"job-[01]\"']
    driver: {{ flink_operator: {{}} }}
{more}{stores}{RECEIVERS}",
            fleet.url(0)
        )
    };
    let write = |config: String| std::fs::write(dir.path().join("weir.yaml"), config);
    let gone = "  - name: gone
    matchers: ['job_name=\"gone\"']
    driver: { flink_jar: { jar: gone.jar } }
  - name: away
    matchers: ['job_name=\"away\"']
    driver: { command: { argv: [/nowhere/start-it, \"{{checkpoint}}\"] } }
";
    let stores = "checkpoint_stores:
  - { prefix: \"s3://b/flink\", endpoint: \"http://127.0.0.1:1\", access_key: a, secret_key: s3cr3t }
";
    write(config(gone, stores))?;
    let (code, out, err) = ask(dir.path(), &["doctor"]).await?;
    let lines: Vec<&str> =
        out.lines().filter(|line| !line.starts_with("note    restart ")).collect();
    let expected = [
        "ok      c0 (flink): Flink 1.20",
        "ok      restart zero (command): /bin/sh is there and may be run",
        "FAILED  restart two (flink_operator): its jobs are shown by `c0`, which is no source of kind \
         kubernetes (name the one whose operator runs them under `source`)",
        "ok      restart gone (flink_jar): no job that it is about is seen",
        "FAILED  restart away (command): `argv` names \"/nowhere/start-it\", which is not there",
        "FAILED  checkpoint_store s3://b/flink: cannot connect to",
        "note    restarts: no entry fits 1 of 3 jobs, which nobody restarts: c0/job-2",
        "note    restarts: several entries fit 1 of 3 jobs, and the first counts: c0/job-0 (zero, two)",
        "note    restarts: no job fits the entries gone, away",
    ];
    ensure!(code == 1 && lines.len() == expected.len(), "{code} {out} {err}");
    for (line, expected) in lines.iter().zip(expected) {
        ensure!(line.starts_with(expected), "{expected}\n{out}");
    }
    ensure!(!out.contains("s3cr3t"), "{out}");

    let (code, out, _) = ask(dir.path(), &["doctor", "--output", "json"]).await?;
    let found: Value = serde_json::from_str(&out)?;
    let about = |about: &str| -> Vec<&Value> {
        found.as_array().into_iter().flatten().filter(|one| one["about"] == about).collect()
    };
    ensure!(code == 1 && found[0]["source"] == "c0", "{out}");
    ensure!(
        about("restart")[0]["name"] == "zero" && about("restart")[0]["health"] == "ok",
        "{out}"
    );
    ensure!(about("checkpoint_store")[0]["health"] == "failed", "{out}");
    ensure!(about("restarts").iter().all(|one| one["health"] == "note"), "{out}");

    // Jobs without an entry are nothing that fails, and a source by itself is looked at by itself.
    let zero_alone = config("", "").replace("job-[01]", "none").replace(
        "flink_operator: {}",
        "command: { argv: [/bin/sh, '{{job_name}}', '{{checkpoint}}'] }",
    );
    write(zero_alone)?;
    let (code, out, err) = ask(dir.path(), &["doctor"]).await?;
    ensure!(code == 0 && out.contains("no entry fits 2 of 3 jobs"), "{code} {out} {err}");
    let (code, out, _) = ask(dir.path(), &["doctor", "--source", "c0"]).await?;
    ensure!(code == 0 && out.lines().count() == 1, "{out}");
    Ok(())
}
