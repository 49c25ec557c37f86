use base64::Engine as _;
use serde_json::{Value, json};

use super::mail::with_copies;

use crate::model::{MessageKind, SendOutcome, Ts};
use crate::notify::channels::testing::{
    HOSTILE, assert_title, build, good, hostile_views, message, now, parts,
};
use crate::notify::channels::{Channel, ChannelConfig};
use crate::notify::render::{probe, words};
use crate::notify::{Language, MessageView};

fn config(port: u16) -> Value {
    json!({"email": {
        "smtp_url": format!("smtp://127.0.0.1:{port}?tls=none"),
        "from": "Weir 告警 <weir@example.com>",
        "to": ["oncall@example.com", "Ops <ops@example.com>"],
        "reply_to": "platform@example.com",
        "timeout": "2s",
    }})
}

fn mail(view: &MessageView) -> String {
    build(config(25)).0.composer().compose(view).frozen.body
}

/// Headers, unfolded and in order; encoded words stay as they are.
fn headers(mail: &str) -> Vec<(String, String)> {
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded
        .split("\r\n")
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn header(mail: &str, name: &str) -> Option<String> {
    headers(mail).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// Text and HTML as a reader decodes them.
fn bodies(mail: &str) -> (String, String) {
    let marker = "boundary=\"";
    let start = mail.find(marker).unwrap() + marker.len();
    let boundary = mail.split_at(start).1.split('"').next().unwrap();
    let separator = format!("--{boundary}");
    let mut found = mail.split(&separator).skip(1).map(|part| {
        let (head, body) = part.split_once("\r\n\r\n").unwrap_or(("", ""));
        if head.contains("base64") {
            let joined: String = body.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(joined).unwrap();
            String::from_utf8(bytes).unwrap()
        } else if head.contains("quoted-printable") {
            unquote(body)
        } else {
            body.to_owned()
        }
    });
    (found.next().unwrap(), found.next().unwrap())
}

fn unquote(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            let hex = std::str::from_utf8(&hex).unwrap().to_owned();
            out.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn mails_read_well_in_both_languages() {
    for language in [Language::En, Language::Zh] {
        for (name, view) in good(language) {
            let mail = mail(&view);
            let (text, html) = bodies(&mail);
            assert!(text.contains(words::keyword(language)));
            if ["card", "recovery", "digest", "summary"].contains(&name) {
                let head = mail.split_once("\r\n\r\n").unwrap().0.replace("\r\n", "\n");
                let shown = format!("{head}\n\n{}\n\n{html}", text.replace("\r\n", "\n"));
                let name = format!("mail_{name}_{}", words::code(language));
                insta::assert_snapshot!(name, shown.replace("\r\n", "\n"));
            }
        }
    }
}

#[test]
fn one_thread_per_incident() {
    let views = good(Language::En);
    let opened = mail(&views[0].1);
    let over = mail(&views[2].1);
    for name in ["Subject", "References", "In-Reply-To", "List-Id"] {
        assert!(header(&opened, name).is_some(), "{name}");
        assert_eq!(header(&opened, name), header(&over, name), "{name}");
    }
    assert_eq!(header(&opened, "Subject").unwrap(), "[Weir] ro-cn-sync: failure #128");
    assert_eq!(header(&opened, "References").unwrap(), "<weir-k3p9-inc-128.0@weir>");
    assert_ne!(header(&opened, "Message-ID"), header(&over, "Message-ID"));
    assert!(header(&over, "Message-ID").unwrap().starts_with("<weir-k3p9-inc-128.2."));
    assert_eq!(header(&opened, "Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(header(&opened, "Date").unwrap(), "Fri, 20 Nov 2026 19:30:00 +0000");
    assert_eq!(opened, mail(&views[0].1), "the same view gives the same bytes");
    let storm = &views.iter().find(|(name, _)| *name == "storm").unwrap().1;
    assert_eq!(header(&mail(storm), "In-Reply-To"), None);
}

#[test]
fn hostile_text_breaks_neither_headers_nor_html() {
    let expected = [
        "Date",
        "From",
        "Subject",
        "Message-ID",
        "To",
        "Reply-To",
        "In-Reply-To",
        "References",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "List-Id",
        "X-Weir-Severity",
        "MIME-Version",
        "Content-Type",
    ];
    let (channel, _) = build(config(25));
    for view in hostile_views() {
        let composed = channel.composer().compose(&view);
        assert_title(&composed.frozen.title);
        let mail = &composed.frozen.body;
        assert!(mail.is_ascii());
        assert!(mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        for (name, _) in headers(mail) {
            assert!(expected.contains(&name.as_str()), "{name}");
        }
        let (text, html) = bodies(mail);
        assert!(text.contains(words::keyword(view.language)));
        for tag in tags(&html) {
            assert!(
                [
                    "html", "head", "meta", "title", "body", "div", "table", "tr", "td", "b", "br",
                    "code", "p", "a"
                ]
                .contains(&tag.as_str()),
                "<{tag}>"
            );
        }
        if view.items.iter().any(|item| item.incident.is_open()) && view.items.len() == 1 {
            assert!(html.contains("&lt;/script&gt;"), "the text is shown, escaped");
        }
    }
}

/// Names of the elements a browser would see; panics where a tag is not closed or nested wrongly.
fn tags(html: &str) -> Vec<String> {
    let (mut names, mut open) = (Vec::new(), Vec::new());
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').unwrap_or_else(|| panic!("unclosed <{piece}"));
        if tag.starts_with('!') {
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "{html}");
        } else if !["meta", "br"].contains(&name.as_str()) {
            open.push(name.clone());
        }
        names.push(name);
    }
    assert!(open.is_empty(), "{open:?}");
    names
}

#[test]
fn a_broken_clock_makes_a_mail_all_the_same() {
    let mut view = probe::view(MessageKind::Test, Language::En, Vec::new());
    for now in [Ts(i64::MIN), Ts(i64::MAX)] {
        view.now = now;
        assert!(header(&mail(&view), "Date").is_some());
    }
    view.installation = HOSTILE.to_owned();
    view.key = HOSTILE.to_owned();
    headers(&mail(&view));
}

#[test]
fn options_are_checked() {
    let with = |key: &str, value: Value| {
        let mut config = config(25);
        config["email"][key] = value;
        serde_json::from_value::<ChannelConfig>(config)
            .map_err(|e| e.to_string())
            .and_then(|config| config.build(&parts().0).map(|_| ()).map_err(|e| e.0))
    };
    assert_eq!(with("name", json!("mail")), Ok(()));
    for (key, value, says) in [
        ("to", json!([]), "`to` is empty"),
        ("to", json!(["nobody"]), "no mail address"),
        ("from", json!("a@b\r\nBcc: c@d"), "no mail address"),
        ("smtp_url", json!("mail.example.com"), "smtps://"),
        ("smtp_url", json!("smtps://hush:hush@h?tls=no"), "?tls="),
        ("password_file", json!("/nonexistent/weir"), "cannot be read"),
        ("subject", json!("x"), "unknown field"),
    ] {
        let error = with(key, value).unwrap_err();
        assert!(error.contains(says) && !error.contains("hush"), "{error}");
    }
}

/// A server that answers line by line, and hands over what it was told.
async fn server(
    refuse: Option<(&'static str, &'static str)>,
) -> (u16, tokio::task::JoinHandle<String>) {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = BufReader::new(socket);
        let (mut told, mut data) = (String::new(), false);
        socket.write_all(b"220 test\r\n").await.unwrap();
        loop {
            let mut line = String::new();
            if socket.read_line(&mut line).await.unwrap_or(0) == 0 {
                return told;
            }
            told.push_str(&line);
            let answer = match refuse {
                Some((to, answer)) if !data && line.starts_with(to) => answer,
                _ if data && line != ".\r\n" => continue,
                _ if data => {
                    data = false;
                    "250 taken"
                }
                _ if line.starts_with("DATA") => {
                    data = true;
                    "354 go"
                }
                _ if line.starts_with("QUIT") => "221 bye",
                _ => "250 ok",
            };
            socket.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
    });
    (port, task)
}

fn opening(channel: &dyn Channel) -> crate::model::Message {
    message(channel.composer().compose(&good(Language::Zh)[0].1).frozen)
}

#[tokio::test]
async fn the_frozen_bytes_go_to_the_envelope() {
    let (port, task) = server(None).await;
    let (channel, _) = build(config(port));
    let message = opening(&*channel);
    assert_eq!(channel.send(&message, "k", now()).await, SendOutcome::Delivered);
    let told = task.await.unwrap();
    assert!(told.contains("MAIL FROM:<weir@example.com>"), "{told}");
    assert!(told.contains("RCPT TO:<ops@example.com>"), "{told}");
    assert!(told.contains(message.frozen.body.trim_end()), "{told}");
    assert!(told.ends_with("QUIT\r\n"), "{told}");
}

#[tokio::test]
async fn one_refused_recipient_keeps_the_mail_from_nobody_else() {
    let (port, task) = server(Some(("RCPT TO:<oncall@", "550 no such user"))).await;
    let (channel, _) = build(config(port));
    let message = opening(&*channel);
    assert_eq!(channel.send(&message, "k", now()).await, SendOutcome::Delivered);
    let told = task.await.unwrap();
    assert!(told.contains("RCPT TO:<ops@example.com>"), "{told}");
    assert!(told.contains(message.frozen.body.trim_end()), "{told}");

    // One that goes away has refused nobody.
    let (port, _task) = server(Some(("RCPT TO:<ops@", "421 going away"))).await;
    let (channel, _) = build(config(port));
    let outcome = channel.send(&opening(&*channel), "k", now()).await;
    assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");
}

#[tokio::test]
async fn refusals_are_permanent_or_not() {
    let (port, _task) = server(Some(("RCPT", "451 later"))).await;
    let (channel, _) = build(config(port));
    let outcome = channel.send(&opening(&*channel), "k", now()).await;
    assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");

    let (port, _task) = server(Some(("RCPT", "550 no such user"))).await;
    let (channel, _) = build(config(port));
    let outcome = channel.send(&opening(&*channel), "k", now()).await;
    assert!(
        matches!(&outcome, SendOutcome::Rejected { error }
            if error.contains("check `from`") && error.contains("oncall@example.com")),
        "{outcome:?}"
    );

    let mut starttls = config(port);
    let (port, _task) = server(None).await;
    starttls["email"]["smtp_url"] = json!(format!("smtp://127.0.0.1:{port}"));
    let (channel, _) = build(starttls);
    let outcome = channel.send(&opening(&*channel), "k", now()).await;
    assert!(
        matches!(&outcome, SendOutcome::Rejected { error } if error.contains("STARTTLS")),
        "{outcome:?}"
    );

    let (channel, _) = build(config(1));
    let outcome = channel.send(&opening(&*channel), "k", now()).await;
    assert!(matches!(outcome, SendOutcome::Retry { .. }), "{outcome:?}");
}

#[tokio::test]
async fn owners_get_a_copy_where_that_is_asked_for_and_keep_nothing_from_others() {
    let mut with = config(25);
    with["email"]["to_owner"] = json!(true);
    let (channel, _) = build(with);
    let view = |item| probe::view(MessageKind::Incident, Language::En, vec![item]);
    let opened = channel.composer().compose(&view(probe::failing(1, "a"))).frozen.body;
    assert_eq!(header(&opened, "Cc").as_deref(), Some("duyao@example.com"));
    let over = channel.composer().compose(&view(probe::recovered(1, "a"))).frozen.body;
    assert_eq!(header(&over, "Cc").as_deref(), Some("duyao@example.com"), "and of the end");
    assert_eq!(header(&mail(&view(probe::failing(1, "a"))), "Cc"), None, "it was not asked for");
    let mut strangers = probe::failing(1, "a");
    strangers.incident.labels.set("owner", "nobody");
    let none = channel.composer().compose(&view(strangers)).frozen.body;
    assert_eq!(header(&none, "Cc"), None);

    let everybody = ["oncall@example.com".parse().unwrap()];
    let to = |mail: &str| {
        let to = with_copies(&everybody, mail);
        to.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(to(&opened), ["oncall@example.com", "duyao@example.com"]);
    assert_eq!(to(&none), ["oncall@example.com"]);
    let folded = "To: a@b\r\nCc: c@d,\r\n e@f\r\nSubject: g@h\r\n\r\nCc: i@j\r\n";
    assert_eq!(to(folded), ["oncall@example.com", "c@d", "e@f"]);
}
