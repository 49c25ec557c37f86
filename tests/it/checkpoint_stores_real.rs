//! Whether a checkpoint is still there, asked of a real S3 store and of folders a real Flink writes.
//!
//! Compiles the store at first: a part of `make e2e`, not of `make test`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use weir::actions::stores::{Look, StoreConfig, Stores};

use crate::testbed::control::Control;
use crate::testbed::flink::{Flink, FlinkOptions};
use crate::testbed::flink_conf::Version;
use crate::testbed::job::JobSpec;
use crate::testbed::s3::{OWNER, REGION, S3, STRANGER, VERSION};
use crate::testbed::story::SOON;
use crate::testbed::table::Rows;
use crate::testbed::time;

const BUCKET: &str = "flink-state";
const JOB: &str = "prod/5fb8c1a2d3e4f5061728394a5b6c7d8e";

/// A store with this in its entry.
fn stores(dir: &Path, prefix: &str, endpoint: &str, region: &str, keys: (&str, &str)) -> Stores {
    let (access, secret) = (dir.join("access"), dir.join("secret"));
    std::fs::write(&access, format!("{}\n", keys.0)).unwrap();
    std::fs::write(&secret, format!("{}\n", keys.1)).unwrap();
    let text = format!(
        "{{ prefix: '{prefix}', endpoint: '{endpoint}', region: {region}, access_key_file: '{}', \
         secret_key_file: '{}', timeout: 2s }}",
        access.display(),
        secret.display()
    );
    let config: StoreConfig = serde_saphyr::from_str(&text).unwrap();
    Stores::build(&[config]).unwrap()
}

#[tokio::test]
#[ignore = "make e2e: compiles an S3 store, takes minutes"]
async fn an_s3_store_says_what_is_there_and_what_is_gone() -> Result<()> {
    let s3 = S3::start(BUCKET).await?;
    let mut rows = Rows::of("S3 store (versitygw)", VERSION);
    let strange = "prod/a job, 订单 +1%/chk-3";
    for key in [&format!("{JOB}/chk-7/_metadata"), &format!("{strange}/_metadata"), "sp/one-file"] {
        s3.put(BUCKET, key, b"bytes")?;
    }
    s3.put(BUCKET, &format!("{JOB}/chk-9/_metadata"), b"")?;
    s3.put(BUCKET, &format!("{JOB}/chk-8/some-state"), b"bytes")?;
    let dir = tempfile::tempdir()?;
    let bucket = format!("s3://{BUCKET}");
    let endpoint = s3.endpoint();

    let good = stores(dir.path(), &bucket, &endpoint, REGION, OWNER);
    let path = |rest: &str| format!("s3://{BUCKET}/{rest}");
    let table = [
        (path(&format!("{JOB}/chk-7")), Some(true)),
        (path(&format!("{JOB}/chk-7/")), Some(true)),
        (path(&format!("{JOB}/chk-7/_metadata")), Some(true)),
        (format!("s3a://{BUCKET}/{JOB}/chk-7"), Some(true)),
        (format!("s3p://{BUCKET}/{JOB}/chk-7"), Some(true)),
        (path("sp/one-file"), Some(true)),
        (path(strange), Some(true)),
        (path("prod/a%20job,%20%E8%AE%A2%E5%8D%95%20+1%25/chk-3"), Some(true)),
        (path(&format!("{JOB}/chk-6")), Some(false)),
        (path(&format!("{JOB}/chk-6/_metadata")), Some(false)),
        // State without metadata, metadata without a byte: nothing to restore from.
        (path(&format!("{JOB}/chk-8")), Some(false)),
        (path(&format!("{JOB}/chk-9")), Some(false)),
        (format!("s3://other-bucket/{JOB}/chk-7"), None),
        (format!("hdfs://nn:8020/{JOB}/chk-7"), None),
    ];
    let paths: Vec<String> = table.iter().map(|(path, _)| path.clone()).collect();
    let found = good.check_all(&paths).await;
    ensure!(found == table, "{found:#?}");
    let well = Ok("it answers, and the keys may read and list".to_owned());
    ensure!(good.examine().await == [(bucket.clone(), well)]);

    // Whoever cannot look never says that something is gone.
    let missing = path(&format!("{JOB}/chk-6"));
    let dead = format!("http://127.0.0.1:{}", crate::testbed::http::free_port()?);
    let wrong_secret = (OWNER.0, "not-the-secret");
    let nobody = ("nobody-knows-me", OWNER.1);
    let none = "s3://no-such-bucket";
    for (what, prefix, endpoint, region, keys, hint) in [
        ("the secret is wrong", &*bucket, &*endpoint, REGION, wrong_secret, "`secret_key`"),
        ("the access key is wrong", &bucket, &endpoint, REGION, nobody, "`access_key`"),
        ("the region is wrong", &bucket, &endpoint, "us-east-1", OWNER, "`region`"),
        ("the access key has no rights", &bucket, &endpoint, REGION, STRANGER, "list the bucket"),
        ("there is no such bucket", none, &endpoint, REGION, OWNER, "the bucket in `prefix`"),
        ("nobody listens there", &bucket, &dead, REGION, OWNER, "check that it runs"),
    ] {
        let started = time::now();
        let stores = stores(dir.path(), prefix, endpoint, region, keys);
        let asked = missing.replace(&bucket, prefix);
        let Look::Unknown(why) = stores.look(&asked).await else {
            anyhow::bail!("{what}: it is told all the same");
        };
        ensure!(why.contains(hint) && why.starts_with(prefix), "{what}: {why}");
        let [(at, Err(said))] = &stores.examine().await[..] else { anyhow::bail!("{what}: well") };
        ensure!(at == prefix && said.contains(hint) && !said.starts_with(prefix), "{what}: {said}");
        ensure!(!why.contains("secret") || !why.contains(keys.1), "{why}");
        rows.add(&format!("is a checkpoint still there: {what}"), &why, time::since(started));
    }

    // Keys are read anew: what is put right helps at once.
    let stores = stores(dir.path(), &bucket, &endpoint, REGION, wrong_secret);
    ensure!(stores.check(&missing).await.is_none());
    std::fs::write(dir.path().join("secret"), OWNER.1)?;
    ensure!(stores.check(&missing).await == Some(false));
    s3.kill9().await?;
    ensure!(stores.check(&missing).await.is_none(), "a dead store tells nothing");
    rows.write()
}

#[tokio::test]
#[ignore = "make e2e: starts a Flink"]
async fn folders_of_a_real_flink_are_read_as_it_names_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    // Flink does not decode what is in a path, and writes it as it is.
    let checkpoints = folder.path().join("my 订单%20ck");
    let mut options = FlinkOptions::default();
    let at = format!("file://{}", checkpoints.display());
    let is_old = Version::parse(&options.version)? < Version(1, 20);
    let key = if is_old { "state.checkpoints.dir" } else { "execution.checkpointing.dir" };
    options.conf.push((key.to_owned(), at));
    let flink = Flink::start(options).await?;
    let control = Control::new(&flink.dir().join("control"))?;
    let job = flink.submit(&JobSpec::new("orders", &control)).await?;
    flink.rest().wait_until_healthy(&job, SOON).await?;
    let newest = || async {
        let answer = flink.rest().get(&format!("/jobs/{job}/checkpoints")).await?;
        Ok(answer["latest"]["completed"]["external_path"].as_str().map(str::to_owned))
    };
    let path = time::wait_for("a checkpoint", SOON, newest).await?;
    let stores = Stores::default();
    flink.cancel(&job).await?;
    time::wait_for("its end", SOON, || async {
        Ok((flink.job_state(&job).await? == "CANCELED").then_some(()))
    })
    .await?;
    let path = newest().await?.unwrap_or(path);
    ensure!(path.contains("my 订单%20ck"), "Flink writes paths otherwise: {path}");
    ensure!(stores.check(&path).await == Some(true), "{path}");
    let (of_job, name) = path.rsplit_once('/').context("no folder")?;
    ensure!(stores.check(&format!("{of_job}/chk-999999")).await == Some(false), "{path}");
    let here = checkpoints.join(&job);
    std::fs::remove_dir_all(here.join(name))?;
    ensure!(stores.check(&path).await == Some(false), "{path}");
    // The whole folder of the job, or the mount: nobody can tell.
    std::fs::remove_dir_all(&here)?;
    ensure!(stores.check(&path).await.is_none(), "{path}");
    flink.stop().await
}
