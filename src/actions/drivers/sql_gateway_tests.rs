use super::*;

fn driver(more: &str) -> SqlGateway {
    let text =
        format!("{{ url: 'http://gw:8083/', statements: ['INSERT INTO t SELECT 1'], {more} }}");
    let config: Config = serde_saphyr::from_str(&text).unwrap();
    let client = HttpClient::build(&HttpConfig::default()).unwrap();
    let gateway = Gateway::new(client, &config.url);
    let clusters = Clusters::new(&Parts::default(), None, TIMEOUT).unwrap();
    SqlGateway { config, gateway, clusters }
}

fn order(from: Option<&str>) -> Order {
    Order {
        restart: 1,
        handle: "ab".repeat(16),
        job: crate::model::JobKey::new("prod", "", "", "orders"),
        job_name: "orders".to_owned(),
        flink_job_name: "insert-into_orders".to_owned(),
        cluster: "prod".to_owned(),
        namespace: String::new(),
        flink_cluster: "prod".to_owned(),
        labels: crate::model::Labels::default(),
        dead: Some("cd".repeat(16)),
        from: from.map(str::to_owned),
        version: None,
        inventory: None,
        may_cancel: true,
    }
}

#[test]
fn settings_have_the_names_of_their_version() {
    let driver = driver("claim_mode: claim, allow_non_restored_state: true");
    let order = order(Some("file:/ck/chk-7"));
    for (version, prefix, mode) in [
        ("1.16.3", "execution.savepoint", "execution.savepoint-restore-mode"),
        ("1.19.1", "execution.savepoint", "execution.savepoint-restore-mode"),
        ("1.20.5", "execution.state-recovery", "execution.state-recovery.claim-mode"),
        ("2.3.0", "execution.state-recovery", "execution.state-recovery.claim-mode"),
        ("", "execution.state-recovery", "execution.state-recovery.claim-mode"),
    ] {
        let settings = driver.settings(&order, version);
        let get = |key: String| settings.get(key.as_str()).map(String::as_str);
        assert_eq!(settings.len(), 5, "{version}: {settings:?}");
        assert_eq!(get(format!("{prefix}.path")), Some("file:/ck/chk-7"), "{version}");
        assert_eq!(get(mode.to_owned()), Some("CLAIM"), "{version}");
        assert_eq!(get(format!("{prefix}.ignore-unclaimed-state")), Some("true"), "{version}");
        assert_eq!(get("$internal.pipeline.job-id".to_owned()), Some(order.handle.as_str()));
        assert_eq!(get("pipeline.name".to_owned()), Some("insert-into_orders"));
    }
    let settings = driver.settings(&self::order(None), "1.20.5");
    assert_eq!(settings.len(), 2, "{settings:?}");
}

#[test]
fn an_answer_that_was_lost_on_its_way_decides_nothing() {
    for (trace, expected) in [
        ("SqlExecutionException: x\nCaused by: java.util.concurrent.TimeoutException", false),
        (
            "SqlExecutionException: x\nCaused by: java.net.ConnectException: Connection refused",
            false,
        ),
        ("SqlGatewayException: Session 'abc' does not exist.", false),
        ("SqlExecutionException: x\nCaused by: ValidationException: Cannot find table", true),
    ] {
        assert_eq!(is_decided(trace), expected, "{trace}");
    }
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let problems = |text: &str| {
        let found = serde_saphyr::from_str::<Config>(text).unwrap().problems();
        found.into_iter().map(|(what, _)| what).collect::<Vec<_>>().join("; ")
    };
    let table = [
        ("url: 'http://gw:8083', file: job.sql", ""),
        ("url: 'https://gw', statements: ['USE a; INSERT INTO t SELECT 1']", ""),
        ("url: 'gw:8083', file: job.sql", "`url` cannot be read"),
        ("url: 'http://gw'", "there is no job"),
        ("url: 'http://gw', file: a, statements: ['INSERT INTO t SELECT 1']", "both set"),
        ("url: 'http://gw', statements: ['SELECT 1']", "starts no job"),
        (
            "url: 'http://gw', file: a, properties: { execution.savepoint.path: x }",
            "`properties` has `execution.savepoint.path`",
        ),
        ("url: 'http://gw', file: a, start_within: 0s", "`start_within` is zero"),
    ];
    for (text, expected) in table {
        let found = problems(&format!("{{ {text} }}"));
        let fits = if expected.is_empty() { found.is_empty() } else { found.contains(expected) };
        assert!(fits, "{text}: {found}");
    }
    let shown = serde_saphyr::from_str::<Config>(
        "{ url: 'http://gw', statements: [\"CREATE TABLE t WITH ('password'='hunter2')\"] }",
    );
    assert!(!format!("{shown:?}").contains("hunter2"));
}

#[tokio::test]
async fn it_is_looked_over_and_no_session_is_opened() {
    let versions = async || axum::Json(serde_json::json!({ "versions": ["V1", "V2"] }));
    let info =
        async || axum::Json(serde_json::json!({ "productName": "Flink", "version": "1.20.5" }));
    let router = axum::Router::new()
        .route("/api_versions", axum::routing::get(versions))
        .route("/v1/info", axum::routing::get(info));
    let url = super::super::testing::serve(router).await;
    let build = |text: &str| {
        let config: Config = serde_saphyr::from_str(text).unwrap();
        config.build(&Parts::default()).unwrap()
    };
    let driver =
        build(&format!("{{ url: '{url}', statements: ['SET a = 1', 'INSERT INTO t SELECT 1'] }}"));
    let found = driver.examine(&[]).await;
    let expected = format!("the SQL Gateway of Flink 1.20.5 answers at {url}");
    assert_eq!(found[0].as_ref().unwrap().trim_end_matches('/'), expected);
    assert_eq!(found[1], Ok("its script can be read (2 statements)".to_owned()));
    let driver = build("{ url: 'http://127.0.0.1:1', file: /nowhere/job.sql }");
    let found = driver.examine(&[]).await;
    assert!(found[0].as_ref().unwrap_err().starts_with("the SQL Gateway: cannot connect"));
    let said = found[1].as_ref().unwrap_err();
    assert!(said.starts_with("the statements cannot be used: /nowhere/job.sql"), "{said}");
}
