//! What is drafted is a configuration that reads.

use secrecy::ExposeSecret;

use super::*;
use crate::config;
use crate::model::Labels;

fn entry(name: &str, alert: Option<&str>, team: &str, owner: &str) -> InventoryEntry {
    InventoryEntry {
        id: format!("id-{name}"),
        name: name.to_owned(),
        alert_id: alert.map(str::to_owned),
        team: Some(team.to_owned()),
        owner: Some(owner.to_owned()),
        says: Says::Runs,
        ..InventoryEntry::default()
    }
}

fn hook(text: &str) -> SecretString {
    SecretString::from(format!("https://robots.example.com/hook/{text}"))
}

fn import() -> Import {
    let smtp = Smtp {
        url: "smtps://ops%40x.com@smtp.x.com:465".to_owned(),
        password: Some(SecretString::from("p4ss".to_owned())),
        from: "ops@x.com".to_owned(),
    };
    let bot = |token: &str, secret: Option<&str>| Draft::FeishuBot {
        url: hook(token),
        secret: secret.map(|s| SecretString::from(s.to_owned())),
        at_all: true,
    };
    let ways = vec![
        Way {
            id: "1".to_owned(),
            name: "ops: \"day\"".to_owned(),
            drafts: vec![
                bot("t0ken", Some("k3y")),
                bot("t0ken2", None),
                Draft::Email { to: vec!["a@x.com".to_owned()], smtp: Some(smtp) },
            ],
            notes: vec!["two\nlines".to_owned()],
        },
        Way {
            id: "2/..".to_owned(),
            name: "ops: \"day\"".to_owned(),
            drafts: vec![
                Draft::Dingtalk {
                    url: hook("d"),
                    secret: None,
                    at: vec!["13800000000".to_owned()],
                },
                Draft::Wecom { url: hook("w") },
                Draft::Webhook { url: hook("h") },
                Draft::Email { to: vec!["b@x.com".to_owned()], smtp: None },
            ],
            notes: Vec::new(),
        },
        Way { id: "3".to_owned(), name: "empty".to_owned(), ..Way::default() },
    ];
    let entries = vec![
        entry("ro.cn(1)", Some("1"), "ro", "duyao"),
        entry("clicks", Some("2/.."), "ads", "li"),
        entry("silent", None, "ads", "li"),
        entry("mute", Some("3"), "", ""),
        entry("stale", Some("99"), "ads", ""),
        // Nobody hears of what was never started, and nobody need.
        InventoryEntry { says: Says::Nothing, ..entry("draft", None, "ads", "li") },
    ];
    Import { entries, ways }
}

fn read(drafted: &Drafted) -> config::Config {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    for (name, secret) in &drafted.files {
        std::fs::write(folder.path().join("secrets").join(name), secret.expose_secret()).unwrap();
    }
    let file = folder.path().join("weir.yaml");
    let text = format!(
        "sources: [{{ flink: {{ name: prod, urls: ['http://jm:8081'] }} }}]\n{}",
        drafted.yaml
    );
    let read = config::parse(&text, &file.display().to_string(), &|_| None);
    read.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}")).0
}

#[test]
fn the_draft_is_a_configuration_without_secrets() {
    let drafted = draft(Kind::Streampark, &import(), "secrets/");
    for secret in ["t0ken", "k3y", "p4ss", "hook/"] {
        assert!(!drafted.yaml.contains(secret), "{secret} in\n{}", drafted.yaml);
    }
    let names: Vec<&str> = drafted.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "streampark-1-feishu_bot.url",
            "streampark-1-feishu_bot.secret",
            "streampark-1-feishu_bot-2.url",
            "streampark-1-email.password",
            "streampark-2___-dingtalk.url",
            "streampark-2___-wecom.url",
            "streampark-2___-webhook.url",
        ]
    );
    let config = read(&drafted);
    let receivers: Vec<&str> = config.receivers.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(receivers, ["ops: \"day\"", "ops: \"day\"-2/..", "empty", "nobody"]);
    assert_eq!(config.receivers[0].channels.len(), 3);
    assert!(drafted.yaml.contains("  # ops: \"day\": two lines\n"), "{}", drafted.yaml);
}

#[test]
fn each_job_gets_its_labels() {
    let config = read(&draft(Kind::Streampark, &import(), "secrets"));
    for (job, group, team, owner) in [
        ("ro.cn(1)", "ops: \"day\"", "ro", "duyao"),
        ("roxcn(1)", "", "", ""),
        ("clicks", "ops: \"day\"-2/..", "ads", "li"),
        ("clicks-2", "", "", ""),
        ("silent", "", "ads", "li"),
        ("stale", "", "ads", ""),
    ] {
        let mut labels = Labels::from([("job_name", job)]);
        config.job_labels.apply(&mut labels);
        let found = ["alert_group", "team", "owner"].map(|name| labels.get(name));
        assert_eq!(found, [group, team, owner], "{job}");
    }
}

#[test]
fn who_hears_of_nothing_is_listed() {
    let drafted = draft(Kind::Streampark, &import(), "secrets");
    assert_eq!(drafted.unheard, ["mute", "silent", "stale"]);
    let listed =
        "# Nobody hears of these 3 jobs today, as StreamPark has them:\n#   mute\n#   silent";
    assert!(drafted.yaml.contains(listed), "{}", drafted.yaml);
    let many = Import {
        entries: (0..600).map(|n| entry(&format!("job-{n:03}"), None, "", "")).collect(),
        ways: Vec::new(),
    };
    let drafted = draft(Kind::Dinky, &many, "secrets");
    assert!(drafted.yaml.ends_with("#   job-499\n#   and 100 more"), "{}", drafted.yaml);
    read(&drafted);
}

#[test]
fn many_jobs_are_several_expressions() {
    let way = Way { id: "1".to_owned(), name: "ops".to_owned(), ..Way::default() };
    let entries = (0..100).map(|n| entry(&format!("job-{n}"), Some("1"), "", "")).collect();
    let drafted = draft(Kind::Dinky, &Import { entries, ways: vec![way] }, "secrets");
    assert_eq!(drafted.yaml.matches("alert_group: \"ops\"").count(), 3);
}
