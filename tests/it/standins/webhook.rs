use std::time::Duration;

use serde_json::{Value, json};

use super::{DEADLINE, client};
use crate::testbed::faults::Fault;
use crate::testbed::time::now_ms;
use crate::testbed::webhook::{Webhook, WebhookOptions, read_persisted, signature};

fn body() -> Value {
    json!({
        "version": "4", "groupKey": "{}:{cluster=\"emr\"}", "truncatedAlerts": 0,
        "status": "firing", "receiver": "platform",
        "groupLabels": { "cluster": "emr" },
        "commonLabels": { "cluster": "emr", "alertname": "JobFailed" },
        "commonAnnotations": {}, "externalURL": "http://127.0.0.1:8080",
        "alerts": [{
            "status": "firing",
            "labels": { "alertname": "JobFailed", "cluster": "emr", "job_name": "orders" },
            "annotations": { "summary": "orders failed" },
            "startsAt": "2026-11-21T02:24:52.123Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "0123456789abcdef",
        }],
        "incident": "an extra field is fine",
    })
}

async fn status(hook: &Webhook, body: &Value) -> u16 {
    client().post(hook.url()).json(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_good_body_is_accepted() {
    let hook = Webhook::start(WebhookOptions::default()).await.unwrap();
    let sent = client().post(hook.url()).header("Idempotency-Key", "m-1").json(&body());
    assert_eq!(sent.send().await.unwrap().status(), 200);
    let got = hook.wait_for(|r| r.idempotency_key() == Some("m-1"), DEADLINE).await.unwrap();
    assert_eq!(got.body(), body());
}

#[tokio::test]
async fn a_bad_body_is_refused() {
    let hook = Webhook::start(WebhookOptions::default()).await.unwrap();
    let bad: [(&str, Value); 13] = [
        ("/version", json!("3")),
        ("/version", json!(4)),
        ("/groupKey", json!("")),
        ("/status", json!("resolved")),
        ("/status", json!("pending")),
        ("/alerts", json!([])),
        ("/commonLabels", json!({ "cluster": "other" })),
        ("/commonAnnotations", Value::Null),
        ("/alerts/0/labels", json!({ "cluster": "emr" })),
        ("/alerts/0/labels/job_name", json!(1)),
        ("/alerts/0/startsAt", json!("2026-11-21 02:24:52")),
        ("/alerts/0/fingerprint", json!("xyz")),
        ("/alerts/0/status", json!("resolved")),
    ];
    for (path, value) in bad {
        let mut body = body();
        *body.pointer_mut(path).unwrap() = value.clone();
        assert_eq!(status(&hook, &body).await, 400, "{path} = {value}");
    }
    for field in body().as_object().unwrap().keys() {
        if ["incident", "truncatedAlerts"].contains(&field.as_str()) {
            continue;
        }
        let mut body = body();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(status(&hook, &body).await, 400, "without {field}");
    }
    assert!(hook.accepted().is_empty());
    assert!(hook.refused().iter().all(|r| r.reason.is_some()));
}

#[tokio::test]
async fn a_bad_signature_is_refused() {
    let options = WebhookOptions { secret: Some("s".to_owned()), ..WebhookOptions::default() };
    let hook = Webhook::start(options).await.unwrap();
    let raw = body().to_string();
    let send = |value: Option<String>| {
        let mut request = client().post(hook.url()).header("content-type", "application/json");
        if let Some(value) = value {
            request = request.header("X-Weir-Signature", value);
        }
        let request = request.body(raw.clone());
        async { request.send().await.unwrap().status().as_u16() }
    };
    let now_s = now_ms() / 1000;
    let good = signature(now_s, raw.as_bytes(), "s");
    assert_eq!(send(None).await, 401);
    assert_eq!(send(Some(signature(now_s, raw.as_bytes(), "other"))).await, 401);
    assert_eq!(send(Some(signature(now_s, b"{}", "s"))).await, 401);
    assert_eq!(send(Some(signature(now_s - 3600, raw.as_bytes(), "s"))).await, 401);
    assert_eq!(send(Some(good.replace(",v1=", ", v1="))).await, 401);
    assert_eq!(send(Some(good)).await, 200);
}

#[test]
fn the_signature_covers_time_and_body() {
    // Computed with `printf '1.{}' | openssl dgst -sha256 -hmac s`.
    let want = "t=1,v1=b253639bcd705ed1cda3073f66104f16988bd40272584dea7d0d345ae93e61cc";
    assert_eq!(signature(1, b"{}", "s"), want);
}

#[tokio::test]
async fn faults_happen_and_everything_is_on_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("received.jsonl");
    let options = WebhookOptions { persist: Some(path.clone()), ..WebhookOptions::default() };
    let hook = Webhook::start(options).await.unwrap();
    let post = || client().post(hook.url()).json(&body()).send();

    hook.faults().next(2, &Fault::status(500));
    assert_eq!(status(&hook, &body()).await, 500);
    assert_eq!(status(&hook, &body()).await, 500);
    hook.faults().next(1, &Fault::too_many(3));
    assert_eq!(post().await.unwrap().headers()["retry-after"], "3");
    hook.faults().next(1, &Fault::AcceptThenDrop);
    assert!(post().await.is_err());
    hook.faults().next(1, &Fault::SlowBody(Duration::from_millis(60)));
    assert_eq!(post().await.unwrap().text().await.unwrap(), "ok");
    hook.faults().next(1, &Fault::AcceptThenHang(Duration::from_mins(1)));
    assert!(tokio::time::timeout(Duration::from_millis(200), post()).await.is_err());

    let on_file = read_persisted(&path).unwrap();
    assert_eq!(on_file.len(), 6);
    assert_eq!(on_file.iter().filter(|r| r.accepted).count(), 3);
    assert_eq!(hook.accepted().len(), 3);
}

#[tokio::test]
async fn a_receiver_can_go_away_and_come_back() {
    let hook = Webhook::start(WebhookOptions::default()).await.unwrap();
    let (url, port) = (hook.url(), hook.port());
    drop(hook);
    assert!(client().post(&url).json(&body()).send().await.is_err());
    // The kernel may take a moment to free the port.
    let back = async {
        loop {
            let options = WebhookOptions { port, ..WebhookOptions::default() };
            if let Ok(hook) = Webhook::start(options).await {
                return hook;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let hook = tokio::time::timeout(DEADLINE, back).await.unwrap();
    assert_eq!(status(&hook, &body()).await, 200);
}
