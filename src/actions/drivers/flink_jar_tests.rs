use super::*;

fn driver(text: &str) -> FlinkJar {
    let config: Config = serde_saphyr::from_str(text).unwrap();
    let clusters = Clusters::new(&Parts::default(), None, TIMEOUT).unwrap();
    FlinkJar { config, clusters }
}

fn order(from: Option<&str>) -> Order {
    Order {
        restart: 1,
        handle: "ab".repeat(16),
        job: crate::model::JobKey::new("prod", "", "", "orders"),
        job_name: "orders".to_owned(),
        flink_job_name: "orders".to_owned(),
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
fn the_body_has_the_names_of_its_version() {
    let driver =
        driver("{ jar: orders.jar, entry_class: com.example.Orders, args: [--topic, orders] }");
    let order = order(Some("file:/ck/chk-7"));
    for (version, key, other) in [
        ("1.17.2", "restoreMode", "claimMode"),
        ("1.19.3", "restoreMode", "claimMode"),
        ("1.20.5", "claimMode", "restoreMode"),
        ("2.3.0", "claimMode", "restoreMode"),
        ("2.4-SNAPSHOT", "claimMode", "restoreMode"),
        ("", "claimMode", "restoreMode"),
    ] {
        let body = driver.body(&order, version);
        assert_eq!(body[key], "NO_CLAIM", "{version}");
        assert!(body.get(other).is_none(), "{version}");
        assert_eq!(body["savepointPath"], "file:/ck/chk-7");
        assert_eq!(body["jobId"], order.handle);
        assert_eq!(body["programArgsList"], json!(["--topic", "orders"]));
        assert_eq!(body["allowNonRestoredState"], false);
    }
    let from_nothing = driver.body(&self::order(None), "1.20.5");
    assert!(from_nothing.get("savepointPath").is_none() && from_nothing.get("claimMode").is_none());
}

#[test]
fn of_several_jars_of_a_name_the_newest_is_run() {
    let listed = json!({ "files": [
        { "id": "a_orders.jar", "name": "orders.jar", "uploaded": 5 },
        { "id": "b_orders.jar", "name": "orders.jar", "uploaded": 9 },
        { "id": "c_other.jar", "name": "other.jar", "uploaded": 99 },
        { "id": "d_my-orders.jar", "name": "my-orders.jar", "uploaded": 99 },
    ] });
    assert_eq!(newest(&listed, "orders.jar").as_deref(), Some("b_orders.jar"));
    assert_eq!(newest(&listed, "none.jar"), None);
    assert_eq!(newest(&json!({}), "orders.jar"), None);
}

#[test]
fn a_live_run_of_the_name_speaks_against_a_start() {
    let row = |jid: &str, name: &str, state: &str| super::super::flink_rest::Row {
        jid: jid.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
    };
    let order = order(None);
    let alive = |rows: &[super::super::flink_rest::Row]| Cluster::alive(rows, &order);
    assert_eq!(alive(&[]), None);
    assert_eq!(alive(&[row("1", "orders", "FAILED"), row("2", "other", "RUNNING")]), None);
    assert!(alive(&[row("1", "orders", "RESTARTING")]).is_some());
    assert!(alive(&[row("1", "orders", "SUSPENDED")]).is_some(), "it may come back");
    assert!(alive(&[row("1", "orders", "A_STATE_OF_TOMORROW")]).is_some());
    assert!(alive(&[row(&"cd".repeat(16), "renamed", "RUNNING")]).is_some(), "the dead one lives");
    assert_eq!(alive(&[row(&order.handle, "orders", "RUNNING")]), None, "that is ours");
}

#[test]
fn a_form_never_holds_its_own_boundary() {
    let (kind, body) = form("a\"b.jar", b"..weir-jar..");
    assert_eq!(kind, "multipart/form-data; boundary=weir-jarx");
    let text = String::from_utf8(body).unwrap();
    assert!(text.starts_with("--weir-jarx\r\n") && text.ends_with("\r\n--weir-jarx--\r\n"));
    assert!(text.contains("filename=\"a_b.jar\""));
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let problems = |text: &str| serde_saphyr::from_str::<Config>(text).unwrap().problems();
    assert!(problems("{ jar: orders.jar }").is_empty());
    assert_eq!(problems("{ jar: /opt/orders.jar, parallelism: 0, timeout: 0s }").len(), 3);
}

/// A cluster that lists these jars, and takes some or none.
async fn cluster(jars: Value, takes: bool) -> String {
    let config = json!({ "flink-version": "1.20.5", "features": { "web-submit": takes } });
    let router = axum::Router::new()
        .route("/jobs/overview", axum::routing::get(async || axum::Json(json!({ "jobs": [] }))))
        .route("/config", axum::routing::get(async move || axum::Json(config)))
        .route("/jars", axum::routing::get(async move || axum::Json(jars)));
    super::super::testing::serve(router).await
}

#[tokio::test]
async fn it_is_looked_over_and_nothing_is_uploaded() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.jar");
    std::fs::write(&file, "a jar").unwrap();
    let with_file = format!("{{ jar: orders.jar, jar_file: '{}' }}", file.display());
    let away = "{ jar: orders.jar, jar_file: /nowhere/orders.jar }";
    let jars = json!({ "files": [{ "id": "a_orders.jar", "name": "orders.jar", "uploaded": 5 }] });
    let none = json!({ "files": [] });
    let plain = "{ jar: orders.jar }";
    let has = "ok the cluster has orders.jar";
    let sights = [super::super::testing::sight("orders", None)];
    let table = [
        (plain, &jars, true, vec![has]),
        (with_file.as_str(), &jars, true, vec![has, "ok "]),
        (with_file.as_str(), &none, true, vec!["ok the cluster has no orders.jar yet", "ok "]),
        (away, &none, true, vec!["ok the cluster has no orders.jar yet", "wrong /nowhere/orders"]),
        (plain, &none, true, vec!["wrong the cluster has no jar named orders.jar (upload it"]),
        (plain, &jars, false, vec!["wrong this cluster takes no jars (set `web.submit.enable"]),
    ];
    let said = |found: Vec<Finding>| -> Vec<String> {
        let word = |finding: Finding| match finding {
            Ok(well) => format!("ok {well}"),
            Err(wrong) => format!("wrong {wrong}"),
        };
        found.into_iter().map(word).collect()
    };
    for (config, jars, takes, expected) in table {
        let url = cluster(jars.clone(), takes).await;
        let mut parts = Parts::default();
        let http = crate::http::HttpConfig::default();
        let access = super::super::FlinkAccess { urls: vec![url], http };
        parts.flink.insert("emr".to_owned(), access);
        let config: Config = serde_saphyr::from_str(config).unwrap();
        let driver = config.build(&parts).unwrap();
        let found = said(driver.examine(&sights).await);
        assert!(found[0].starts_with("ok Flink 1.20.5 answers at http://127.0.0.1"), "{found:?}");
        assert_eq!(found.len(), expected.len() + 1, "{found:?}");
        for (said, expected) in found[1..].iter().zip(expected) {
            assert!(said.starts_with(expected), "{found:?}");
        }
        // The same cluster, away; jobs of no cluster of Flink's; no jobs.
        let elsewhere = Sight { cluster: "tke".to_owned(), ..sights[0].clone() };
        let found = said(driver.examine(&[elsewhere]).await);
        assert!(found[0].starts_with("wrong its jobs are shown by `tke`"), "{found:?}");
        let found = said(driver.examine(&[]).await);
        assert!(found[0].starts_with("ok no job that it is about is seen"), "{found:?}");
        parts.flink.get_mut("emr").unwrap().urls = vec!["http://127.0.0.1:1".to_owned()];
        let found = said(config.build(&parts).unwrap().examine(&sights).await);
        assert!(found[0].starts_with("wrong cannot connect to"), "{found:?}");
    }
}
