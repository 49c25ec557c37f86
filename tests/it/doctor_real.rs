//! `weir doctor` as a new user tries it: every component with the right and with wrong credentials
//! and addresses; each answer is one line that says what is wrong and what to do.
//!
//! Real components: a part of `make e2e`, not of `make test`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use weir::sources::inventory::{Dialect, Kind, grant};

use crate::bad_cli::ask;
use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions, release};
use crate::testbed::job::JobSpec;
use crate::testbed::kube::Kube;
use crate::testbed::mariadb::MariaDb;
use crate::testbed::postgres::Postgres;
use crate::testbed::story::SOON;
use crate::testbed::table::Rows;
use crate::testbed::yarn::{Yarn, YarnOptions};
use crate::testbed::{http, time, tools};

const ROLE: &str = include_str!("../../deploy/kubernetes/read-only.yaml");
const WHO: &str = "system:serviceaccount:weir:weir";

/// One thing to try.
struct Try<'a> {
    scenario: &'a str,
    /// The source as `weir.yaml` has it, in one line.
    source: String,
    /// `ok`, or words of which each has to be in the one line about what is wrong.
    expect: Expect<'a>,
}

enum Expect<'a> {
    Ok,
    /// Seen, but not all of it.
    Partly(&'a [&'a str]),
    Wrong(&'a [&'a str]),
    /// Seen, with a second line about what may not be read.
    Lacking(&'a [&'a str]),
}

/// Runs `weir doctor` on each, and adds what it said.
async fn tried(rows: &mut Rows, all: &[Try<'_>]) -> Result<()> {
    let dir = tempfile::tempdir()?;
    for one in all {
        let scenario = one.scenario;
        let config = format!(
            "sources:\n  - {}\nreceivers: [{{ name: me, channels: [console] }}]\n",
            one.source
        );
        std::fs::write(dir.path().join("weir.yaml"), config)?;
        let started = time::now();
        let (code, out, err) = ask(dir.path(), &["doctor"]).await?;
        let took = time::since(started);
        tools::note(&format!("{scenario}: {code} {out}{err}"));
        let lines = if matches!(one.expect, Expect::Lacking(_)) { 2 } else { 1 };
        ensure!(out.lines().count() == lines, "{scenario}: not {lines}: {code}\n{out}{err}");
        ensure!(took < Duration::from_secs(30), "{scenario}: took {took:?}");
        // The test bed names a kubeconfig for its token.
        let words = out.replace("kubeconfig-weir-token", "");
        ensure!(!words.contains("p4ss") && !words.contains("-token"), "{scenario}: {out}");
        match one.expect {
            Expect::Ok => ensure!(code == 0 && out.starts_with("ok "), "{scenario}: {out}{err}"),
            Expect::Partly(words) => {
                ensure!(code == 1 && out.starts_with("partly "), "{scenario}: {code} {out}{err}");
                has(scenario, &out, words)?;
            }
            Expect::Lacking(words) => {
                ensure!(code == 0 && out.starts_with("ok "), "{scenario}: {code} {out}{err}");
                ensure!(out.contains("\nnote "), "{scenario}: {out}");
                has(scenario, &out, words)?;
            }
            Expect::Wrong(words) => {
                ensure!(code == 1 && out.starts_with("FAILED "), "{scenario}: {code} {out}{err}");
                has(scenario, &out, words)?;
            }
        }
        let said = out.trim().replace('\n', "; ");
        rows.add(&format!("weir doctor: {scenario}"), &said, took);
    }
    Ok(())
}

fn has(scenario: &str, out: &str, words: &[&str]) -> Result<()> {
    for word in words {
        ensure!(out.contains(word), "{scenario}: {word:?} is not in {out}");
    }
    Ok(())
}

const fn good(scenario: &str, source: String) -> Try<'_> {
    Try { scenario, source, expect: Expect::Ok }
}

const fn bad<'a>(scenario: &'a str, source: String, words: &'a [&'a str]) -> Try<'a> {
    Try { scenario, source, expect: Expect::Wrong(words) }
}

fn streampark(url: &str) -> String {
    format!("streampark: {{ name: sp, database_url: \"{url}\" }}")
}

#[tokio::test]
#[ignore = "make e2e: downloads MariaDB"]
async fn mariadb_with_right_and_wrong_credentials() -> Result<()> {
    let server = MariaDb::start().await?;
    let mut rows = Rows::of("MariaDB", &server.sql("", "SELECT VERSION()").await?);
    server.sql("", "CREATE DATABASE streampark CHARACTER SET utf8mb4").await?;
    server.sql("", "CREATE DATABASE elsewhere").await?;
    server
        .sql("streampark", include_str!("../testbed/inventory/streampark-2.1.7.mysql.sql"))
        .await?;
    server.sql("", "CREATE USER 'weir'@'%' IDENTIFIED BY 'p4ss'").await?;
    let url = format!("mysql://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    let missing = bad("no GRANT yet", streampark(&url), &["--print-grant"]);
    tried(&mut rows, &[missing]).await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    let rights = grant(Kind::Streampark, vintage, Dialect::MySql, false);
    let recorded = |line: &&str| line.contains("t_flink_savepoint");
    let older: Vec<&str> = rights.lines().filter(|line| !recorded(line)).collect();
    server.sql("", &older.join("\n")).await?;
    let lacking = Try {
        scenario: "a GRANT without the recorded checkpoints",
        source: streampark(&url),
        expect: Expect::Lacking(&["t_flink_savepoint may not be read", "--print-grant"]),
    };
    tried(&mut rows, &[lacking]).await?;
    server.sql("", &rights).await?;
    tried(
        &mut rows,
        &[
            good("the right password and GRANT", streampark(&url)),
            bad(
                "a wrong password",
                streampark(&url.replace("p4ss", "other")),
                &["1045", "check user and password"],
            ),
            bad(
                "another database",
                streampark(&url.replace("/streampark", "/elsewhere")),
                &["elsewhere"],
            ),
            bad(
                "TLS asked of a server without",
                streampark(&format!("{url}?ssl-mode=REQUIRED")),
                &["no TLS"],
            ),
            bad(
                "nobody listens there",
                streampark("mysql://weir:p4ss@127.0.0.1:1/streampark"),
                &["127.0.0.1:1"],
            ),
        ],
    )
    .await?;
    rows.write()
}

#[tokio::test]
#[ignore = "make e2e: downloads PostgreSQL"]
async fn postgres_with_right_and_wrong_credentials() -> Result<()> {
    let server = Postgres::start().await?;
    let version = server.sql("postgres", "SHOW server_version").await?;
    let mut rows = Rows::of("PostgreSQL", version.split(' ').next().unwrap_or_default());
    server.sql("postgres", "CREATE DATABASE streampark").await?;
    let tables = include_str!("../testbed/inventory/streampark-2.1.7.postgres.sql");
    server.sql("streampark", tables).await?;
    server.sql("postgres", "CREATE USER weir PASSWORD 'p4ss'").await?;
    server.demand_password("weir").await?;
    let url = format!("postgres://weir:p4ss@127.0.0.1:{}/streampark", server.port());
    let missing = bad("no GRANT yet", streampark(&url), &["--print-grant"]);
    tried(&mut rows, &[missing]).await?;
    let vintage = Kind::Streampark.vintage("2.1.7").context("a version")?;
    server.sql("streampark", &grant(Kind::Streampark, vintage, Dialect::Postgres, false)).await?;
    tried(
        &mut rows,
        &[
            good("the right password and GRANT", streampark(&url)),
            bad(
                "a wrong password",
                streampark(&url.replace("p4ss", "other")),
                &["28P01", "check user and password"],
            ),
            bad(
                "another database",
                streampark(&url.replace("/streampark", "/elsewhere")),
                &["3D000", "name of the database"],
            ),
            bad(
                "TLS asked of a server without",
                streampark(&format!("{url}?sslmode=require")),
                &["no TLS"],
            ),
        ],
    )
    .await?;
    rows.write()
}

#[tokio::test]
#[ignore = "make e2e: compiles kube-apiserver, takes many minutes"]
async fn kubernetes_with_right_and_wrong_credentials() -> Result<()> {
    let kube = Kube::start(&[("weir-token", WHO)]).await?;
    let mut rows = Rows::of("Kubernetes", &kube.version().await?);
    kube.define_flink_kinds().await?;
    for name in ["flink", "weir"] {
        let space =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        kube.make(&space).await?;
    }
    let source = |token: &str| -> Result<String> {
        let path = kube.kubeconfig(token)?;
        Ok(format!(
            "kubernetes: {{ name: tke, namespaces: [flink], kubeconfig_file: \"{}\" }}",
            path.display()
        ))
    };
    let refused = format!("{WHO} may not list");
    let words = [refused.as_str(), "403", "deploy/kubernetes/read-only.yaml"];
    tried(&mut rows, &[bad("an account without rights (RBAC)", source("weir-token")?, &words)])
        .await?;
    kube.apply(ROLE).await?;
    tried(
        &mut rows,
        &[
            good("the account of deploy/kubernetes/read-only.yaml", source("weir-token")?),
            bad("a wrong token", source("old-token")?, &["401"]),
            bad(
                "a context that is not in the kubeconfig",
                source("weir-token")?.replace("name: tke,", "name: tke, context: prod,"),
                &["prod"],
            ),
        ],
    )
    .await?;
    kube.stop().await?;
    rows.write()
}

fn yarn_at(url: &str) -> String {
    format!("yarn: {{ name: emr, grace: 1m, resource_managers: [\"{url}\"] }}")
}

#[tokio::test]
#[ignore = "make e2e: downloads Hadoop, takes minutes"]
async fn yarn_with_right_and_wrong_addresses() -> Result<()> {
    let yarn = Yarn::start(YarnOptions { standby: true, ..YarnOptions::default() }).await?;
    let mut rows = Rows::of("YARN", &yarn.version().await?);
    let active = yarn.active().await?;
    let standby = yarn.rest(1 - active);
    time::wait_for("standby", Duration::from_mins(2), || async {
        Ok((standby.ha_state().await? == "STANDBY").then_some(()))
    })
    .await?;
    let young = Try {
        scenario: "a ResourceManager that has just begun",
        source: yarn_at(yarn.rest(active).url()),
        expect: Expect::Partly(&["has just begun"]),
    };
    tried(&mut rows, &[young]).await?;
    // A minute is the shortest that may be given to it.
    time::wait_for("ResourceManager of a minute", Duration::from_mins(3), || async {
        let info = yarn.rest(active).get("/info").await?;
        let began = info["clusterInfo"]["startedOn"].as_i64().context("no startedOn")?;
        Ok((time::now_ms() - began > 61_000).then_some(()))
    })
    .await?;
    let [active, standby] = [yarn.rest(active).url().to_owned(), standby.url().to_owned()];
    let clients = format!("http://127.0.0.1:{}", yarn.client_port(0)?);
    let both = yarn_at(&format!("{standby}\", \"{active}"));
    tried(
        &mut rows,
        &[
            good("both ResourceManagers", both),
            good("the active ResourceManager", yarn_at(&active)),
            bad(
                "only the one that stands by",
                yarn_at(&standby),
                &["standby", "`resource_managers`"],
            ),
            bad(
                "its port for clients instead of its web port",
                yarn_at(&clients),
                &["not for the web", "8088"],
            ),
            bad(
                "a page of its instead of its API",
                yarn_at(&format!("{active}/cluster")),
                &["/cluster"],
            ),
            bad("nobody listens there", yarn_at("http://127.0.0.1:1"), &["127.0.0.1:1"]),
            bad(
                "https to a port without",
                yarn_at(&active.replace("http:", "https:")),
                &["no TLS", "`http://`"],
            ),
        ],
    )
    .await?;
    yarn.stop().await?;
    rows.write()
}

#[tokio::test]
#[ignore = "make e2e: two JVMs"]
async fn flink_with_right_and_wrong_addresses() -> Result<()> {
    let flink = Flink::start(FlinkOptions::default()).await?;
    let mut rows = Rows::of("Flink", flink.version());
    let at = |url: &str| format!("flink: {{ name: prod, urls: [\"{url}\"] }}");
    let url = flink.rest().url().to_owned();
    let away = format!("http://127.0.0.1:{}", http::free_port()?);
    let rpc = format!("http://127.0.0.1:{}", flink.rpc_port());
    tried(
        &mut rows,
        &[
            good("the right address", at(&url)),
            bad("nobody listens there", at(&away), &[away.trim_start_matches("http://")]),
            bad("the JobManager's RPC port", at(&rpc), &[rpc.trim_start_matches("http://")]),
            bad(
                "https to a port without",
                at(&url.replace("http:", "https:")),
                &["no TLS", "`http://`"],
            ),
        ],
    )
    .await?;
    flink.stop().await?;
    rows.write()
}

/// What `flink_jar` needs of a real cluster, with a job whose checkpoints lie in folders of this host.
#[tokio::test]
#[ignore = "make e2e: two JVMs"]
async fn flink_with_what_a_restart_needs_and_without() -> Result<()> {
    let flink = Flink::start(FlinkOptions::version(&release("1.20.5"))).await?;
    let mut rows = Rows::of("Flink", flink.version());
    let dir = tempfile::tempdir()?;
    let control = Control::new(&flink.dir().join("control"))?;
    let job = flink.submit(&JobSpec::new("orders", &control)).await?;
    flink.rest().wait_for_checkpoints(&job, 1, SOON).await?;
    let listed = flink.rest().get("/jars").await?;
    let jar = listed["files"][0]["name"].as_str().context("no jar")?.to_owned();
    let jar_file = dir.path().join("orders.jar");
    std::fs::write(&jar_file, "a jar")?;
    let (jars, url) = (listed["files"].clone(), flink.rest().url().to_owned());
    for (scenario, driver, expected) in [
        ("the jar is there", format!("jar: {jar}"), vec!["ok ", "ok "]),
        ("the jar was lost", "jar: lost.jar".to_owned(), vec!["ok ", "FAILED "]),
        (
            "the jar was lost, and its file is here",
            format!("jar: orders.jar, jar_file: {}", jar_file.display()),
            vec!["ok ", "ok ", "ok "],
        ),
        (
            "the jar was lost, and its file is away",
            "jar: orders.jar, jar_file: /nowhere/orders.jar".to_owned(),
            vec!["ok ", "ok ", "FAILED "],
        ),
    ] {
        let config = format!(
            "sources:\n  - flink: {{ name: prod, urls: [\"{url}\"] }}\nrestarts:\n  - name: orders\n    \
             matchers: ['job_name=\"orders\"']\n    driver: {{ flink_jar: {{ {driver} }} }}\n\
             receivers: [{{ name: me, channels: [console] }}]\n"
        );
        std::fs::write(dir.path().join("weir.yaml"), config)?;
        let started = time::now();
        let (code, out, err) = ask(dir.path(), &["doctor"]).await?;
        let of_entry: Vec<&str> =
            out.lines().filter(|line| line.contains("restart orders (flink_jar)")).collect();
        let well = expected.iter().all(|word| *word == "ok ");
        ensure!(code == i32::from(!well), "{scenario}: {code} {out}{err}");
        ensure!(of_entry.len() == expected.len(), "{scenario}: {out}");
        for (line, word) in of_entry.iter().zip(expected) {
            ensure!(line.starts_with(word), "{scenario}: {out}");
        }
        ensure!(out.contains("ok      restarts: one entry fits each of 1 jobs"), "{out}");
        let last = of_entry.last().context("nothing")?;
        rows.add(&format!("weir doctor: {scenario}"), last, time::since(started));
    }
    ensure!(flink.rest().get("/jars").await?["files"] == jars, "something was uploaded");
    flink.stop().await?;
    rows.write()
}
