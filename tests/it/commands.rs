//! The channel `command` with a real Weir, and the examples that come with it against stand-ins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::testbed::fleet::{Failure, Fleet, FleetOptions, Version};
use crate::testbed::net::Served;
use crate::testbed::story;
use crate::testbed::weir::Weir;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_told_and_what_it_refuses_is_said() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let fleet = Fleet::start(FleetOptions::of(1, 3, Version::V1_20)).await?;
    std::fs::write(dir.path().join("rules.yaml"), story::JOB_FAILED)?;
    let out = dir.path().join("out");
    let config = format!(
        r#"
poll: {{ interval: 500ms, timeout: 5s }}
rule_files: ["rules.yaml"]
incidents: {{ resolve_after: 1s }}
route: {{ receiver: team, group_wait: 0s, group_interval: 1s }}
receivers:
  - name: team
    channels:
      - command: {{ argv: [/bin/sh, -c, 'cat >> "$OUT"; echo >> "$OUT"'], env: {{ OUT: "{}" }} }}
      - command: {{ name: refuses, argv: [/bin/sh, -c, "echo no such number >&2; exit 2"] }}
{}"#,
        out.display(),
        story::sources(&fleet, 1)
    );
    let weir = Weir::start(crate::binary(), dir.path(), &config).await?;
    story::ready(&weir).await?;
    fleet.kill_job(0, 0, &Failure::new("java.io.IOException", "disk gone"));
    let notices = story::until(&weir, "both ended", "notices", |all| {
        all.iter().filter(|n| n["outcome"] == "sent" || n["outcome"] == "failed").count() >= 2
    })
    .await?;
    let of = |channel: &str| notices.iter().find(|n| n["channel"] == channel).context("no notice");
    ensure!(of("command")?["outcome"] == "sent", "{notices:#?}");
    ensure!(of("refuses")?["error"] == "exit code 2: no such number", "{notices:#?}");
    let text = std::fs::read_to_string(&out)?;
    let body: Value = serde_json::from_str(text.lines().next().context("nothing was written")?)?;
    ensure!(body["version"] == "4" && body["status"] == "firing", "{body:#}");
    ensure!(body["alerts"][0]["labels"]["alertname"] == "JobFailed", "{body:#}");
    weir.stop().await
}

/// A request as a stand-in got it.
#[derive(Clone, Debug)]
struct Got {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
}

/// Answers by path, and keeps what came.
struct Gateway {
    served: Served,
    got: Arc<Mutex<Vec<Got>>>,
}

type Answers = BTreeMap<&'static str, (u16, Value)>;

impl Gateway {
    async fn start(answers: Answers) -> Result<Gateway> {
        let got = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new().fallback(answer).with_state((Arc::new(answers), got.clone()));
        Ok(Gateway { served: Served::start(router).await?, got })
    }

    fn url(&self) -> String {
        format!("http://{}", self.served.addr())
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

type Shared = (Arc<Answers>, Arc<Mutex<Vec<Got>>>);

async fn answer(
    State((answers, got)): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, axum::Json<Value>) {
    let path = uri.path().to_owned();
    let known = answers.iter().find(|(name, _)| path.ends_with(**name)).map(|(_, a)| a.clone());
    let (status, answer) = known.unwrap_or((404, Value::Null));
    let path = uri.to_string();
    let body = String::from_utf8_lossy(&body).into_owned();
    got.lock().unwrap().push(Got { method, path, headers, body });
    (StatusCode::from_u16(status).unwrap(), axum::Json(answer))
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples").join(name)
}

/// Runs an example as the channel does: exit code and what it complained of.
async fn run(name: &str, severity: &str, env: &[(&str, &str)]) -> Result<(i32, String)> {
    let body = json!({ "version": "4", "weir": { "text": "orders \"failed\" for good 告警" } });
    let mut child = tokio::process::Command::new(example(name))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("WEIR_KEY", "k3p9-7")
        .env("WEIR_STATUS", "firing")
        .env("WEIR_SEVERITY", severity)
        .env("WEIR_TITLE", "[CRITICAL] orders & \"co\" failed · #7")
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    // One that has nothing to do does not read.
    stdin.write_all(body.to_string().as_bytes()).await.ok();
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.code().unwrap_or(-1), said))
}

#[tokio::test]
async fn the_voice_example_calls_by_a_form() -> Result<()> {
    let gateway = Gateway::start(BTreeMap::from([
        ("/calls", (200, json!({}))),
        ("/busy", (503, json!({}))),
        ("/wrong", (403, json!({}))),
    ]))
    .await?;
    let url = |path: &str| format!("{}{path}", gateway.url());
    let with = |url: &str| {
        [
            ("VOICE_URL", url.to_owned()),
            ("VOICE_TO", "+8613800000000".to_owned()),
            ("VOICE_TOKEN", "s3cret".to_owned()),
        ]
    };
    let call = async |path: &str, severity: &str| {
        let env = with(&url(path));
        let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
        run("voice-call", severity, &env).await
    };
    ensure!(call("/calls", "critical").await? == (0, String::new()));
    let [got] = &gateway.got()[..] else { panic!("{:?}", gateway.got()) };
    ensure!(got.method == Method::POST && got.headers["authorization"] == "Bearer s3cret");
    ensure!(got.headers["idempotency-key"] == "k3p9-7", "{got:?}");
    ensure!(got.body.starts_with("to=%2B8613800000000&text=%5BCRITICAL%5D"), "{}", got.body);
    ensure!(
        got.body.contains("%26%20%22co%22") || got.body.contains("%26+%22co%22"),
        "{}",
        got.body
    );
    ensure!(call("/calls", "warning").await?.0 == 0);
    ensure!(gateway.got().len() == 1, "nobody is woken by a warning");
    ensure!(call("/busy", "critical").await?.0 == 75);
    let (code, said) = call("/wrong", "critical").await?;
    ensure!(code == 1 && said.contains("403"), "{said}");
    let env = with("http://127.0.0.1:1/");
    let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ensure!(run("voice-call", "critical", &env).await?.0 == 75, "nobody there");
    Ok(())
}

#[tokio::test]
async fn the_feishu_example_sends_and_makes_urgent() -> Result<()> {
    let ok = |data: Value| (200, json!({ "code": 0, "msg": "ok", "data": data }));
    let token =
        (200, json!({ "code": 0, "msg": "ok", "tenant_access_token": "t-1", "expire": 7200 }));
    let feishu = Gateway::start(BTreeMap::from([
        ("/tenant_access_token/internal", token.clone()),
        ("/im/v1/messages", ok(json!({ "message_id": "om_1" }))),
        ("/urgent_phone", ok(json!({ "invalid_user_id_list": [] }))),
    ]))
    .await?;
    let url = feishu.url();
    let env = [
        ("FEISHU_API", url.as_str()),
        ("FEISHU_APP_ID", "cli_a1"),
        ("FEISHU_APP_SECRET", "s3cret"),
        ("FEISHU_TO", "ou_1, ou_2"),
        ("FEISHU_URGENT", "phone"),
    ];
    let (code, said) = run("feishu-urgent", "critical", &env).await?;
    ensure!(code == 0, "{said}");
    let got = feishu.got();
    ensure!(got.len() == 5, "{got:#?}");
    let body = |n: usize| serde_json::from_str::<Value>(&got[n].body);
    ensure!(body(0)? == json!({ "app_id": "cli_a1", "app_secret": "s3cret" }));
    ensure!(got[1].path == "/open-apis/im/v1/messages?receive_id_type=open_id", "{}", got[1].path);
    ensure!(got[1].headers["authorization"] == "Bearer t-1");
    let sent = body(1)?;
    ensure!(sent["receive_id"] == "ou_1" && sent["uuid"] == "k3p9-7-0", "{sent:#}");
    let content: Value = serde_json::from_str(sent["content"].as_str().unwrap_or_default())?;
    ensure!(content["text"] == "orders \"failed\" for good 告警", "{content}");
    ensure!(got[2].method == Method::PATCH);
    let urgent = "/open-apis/im/v1/messages/om_1/urgent_phone?user_id_type=open_id";
    ensure!(got[2].path == urgent && body(2)? == json!({ "user_id_list": ["ou_1"] }));
    ensure!(run("feishu-urgent", "warning", &env).await?.0 == 0);
    ensure!(feishu.got().len() == 5, "only what is critical");

    let refused = |code: i64| (200, json!({ "code": code, "msg": "no permission" }));
    for (code, exit) in [(99_991_400, 75), (99_991_672, 1)] {
        let answers =
            [("/tenant_access_token/internal", token.clone()), ("/im/v1/messages", refused(code))];
        let feishu = Gateway::start(BTreeMap::from(answers)).await?;
        let url = feishu.url();
        let mut env = env;
        env[0].1 = &url;
        let (ended, said) = run("feishu-urgent", "critical", &env).await?;
        ensure!(ended == exit && said.contains(&code.to_string()), "{ended} {said}");
        ensure!(!said.contains("s3cret"), "{said}");
    }
    Ok(())
}
