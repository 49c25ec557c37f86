use lettre::message::MultiPart;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::DEADLINE;
use crate::testbed::smtp::{MailFault, Smtp, SmtpOptions, SmtpTls};

type Transport = AsyncSmtpTransport<Tokio1Executor>;
type Sent = Result<(), lettre::transport::smtp::Error>;

fn mail(subject: &str) -> Message {
    Message::builder()
        .from("weir@example.com".parse().unwrap())
        .to("oncall@example.com".parse().unwrap())
        .to("owner@example.com".parse().unwrap())
        .subject(subject)
        .message_id(Some("<inc-1.0@weir>".to_owned()))
        .multipart(MultiPart::alternative_plain_html(
            "作业失败".to_owned(),
            "<p>作业<b>失败</b></p>".to_owned(),
        ))
        .unwrap()
}

/// A client that trusts the sink's CA and speaks as told.
fn client(sink: &Smtp, tls: SmtpTls, login: Option<(&str, &str)>) -> Transport {
    let parameters = || {
        let pem = std::fs::read(sink.ca_file()).unwrap();
        let ca = Certificate::from_pem(&pem).unwrap();
        TlsParameters::builder("localhost".to_owned()).add_root_certificate(ca).build().unwrap()
    };
    let tls = match tls {
        SmtpTls::Plain => Tls::None,
        SmtpTls::StartTls => Tls::Required(parameters()),
        SmtpTls::Implicit => Tls::Wrapper(parameters()),
    };
    let mut builder = Transport::builder_dangerous("127.0.0.1").port(sink.port()).tls(tls);
    if let Some((user, password)) = login {
        builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
    }
    builder.build()
}

async fn send(client: &Transport, subject: &str) -> Sent {
    client.send(mail(subject)).await.map(drop)
}

fn code(sent: Sent) -> u16 {
    sent.unwrap_err().status().expect("an SMTP code").into()
}

async fn sink(tls: SmtpTls, login: Option<(&str, &str)>) -> Smtp {
    let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
    Smtp::start(SmtpOptions { tls, login }).await.unwrap()
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let sink = sink(SmtpTls::Plain, None).await;
    send(&client(&sink, SmtpTls::Plain, None), "订单 failed").await.unwrap();
    let got =
        sink.wait_for(|m| m.header("subject") == Some("订单 failed"), DEADLINE).await.unwrap();
    assert_eq!(got.sender, "weir@example.com");
    assert_eq!(got.recipients, ["oncall@example.com", "owner@example.com"]);
    assert_eq!(got.header("message-id"), Some("<inc-1.0@weir>"));
    assert_eq!(got.text.as_deref().map(str::trim_end), Some("作业失败"));
    assert!(got.html.unwrap().contains("<b>失败</b>"));
    assert!(!got.tls);
    assert!(std::fs::read_to_string(got.raw_file).unwrap().contains("Message-ID"));
    assert_eq!(std::fs::read_to_string(sink.mails_file()).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn starttls_and_a_login_are_demanded() {
    let login = Some(("weir", "right"));
    let sink = sink(SmtpTls::StartTls, login).await;
    let no_tls = send(&client(&sink, SmtpTls::Plain, None), "x").await;
    assert_eq!(code(no_tls), 530, "must issue STARTTLS first");
    let no_login = send(&client(&sink, SmtpTls::StartTls, None), "x").await;
    assert_eq!(code(no_login), 530, "login required");
    let wrong = send(&client(&sink, SmtpTls::StartTls, Some(("weir", "wrong"))), "x").await;
    assert_eq!(code(wrong), 535);
    assert!(sink.wait_for_refusal(|r| r.stage == "auth", DEADLINE).await.is_some());
    assert!(sink.mails().is_empty());
    send(&client(&sink, SmtpTls::StartTls, login), "x").await.unwrap();
    let got = sink.wait_for(|_| true, DEADLINE).await.unwrap();
    assert_eq!((got.tls, got.user.as_deref()), (true, Some("weir")));
}

#[tokio::test]
async fn implicit_tls_needs_the_ca_and_both_logins_work() {
    let sink = sink(SmtpTls::Implicit, Some(("weir", "right"))).await;
    let stranger = Transport::relay("localhost").unwrap().port(sink.port()).build();
    assert!(send(&stranger, "x").await.unwrap_err().status().is_none(), "unknown CA");
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let pem = std::fs::read(sink.ca_file()).unwrap();
        let parameters = TlsParameters::builder("localhost".to_owned())
            .add_root_certificate(Certificate::from_pem(&pem).unwrap())
            .build()
            .unwrap();
        let client = Transport::builder_dangerous("localhost")
            .port(sink.port())
            .tls(Tls::Wrapper(parameters))
            .credentials(Credentials::new("weir".to_owned(), "right".to_owned()))
            .authentication(vec![mechanism])
            .build();
        send(&client, "x").await.unwrap();
    }
    let wrong = client(&sink, SmtpTls::Implicit, Some(("weir", "wrong")));
    assert_eq!(code(send(&wrong, "x").await), 535);
    assert_eq!(sink.mails().len(), 2);
    assert!(sink.mails().iter().all(|m| m.tls));
}

#[tokio::test]
async fn faults_happen_as_planned() {
    let sink = sink(SmtpTls::Plain, None).await;
    let client = client(&sink, SmtpTls::Plain, None);
    sink.fail_next(2, MailFault::AtData(450));
    for _ in 0..2 {
        let sent = send(&client, "later").await;
        assert!(sent.as_ref().is_err_and(lettre::transport::smtp::Error::is_transient));
        assert_eq!(code(sent), 450);
    }
    sink.fail_next(1, MailFault::AtRecipient(550));
    let sent = send(&client, "never").await;
    assert!(sent.as_ref().is_err_and(lettre::transport::smtp::Error::is_permanent));
    assert_eq!(code(sent), 550);
    assert!(sink.mails().is_empty());
    sink.fail_next(1, MailFault::AcceptThenDrop);
    assert!(send(&client, "taken").await.is_err());
    let taken = sink.wait_for(|m| m.header("subject") == Some("taken"), DEADLINE).await;
    assert!(taken.is_some(), "kept although the sender saw an error");
    send(&client, "well").await.unwrap();
    assert_eq!(sink.refusals().len(), 3);
    sink.refuse(&[("oncall@example.com", 550)]);
    assert_eq!(code(send(&client, "gone").await), 550);
    sink.refuse(&[]);
    send(&client, "back").await.unwrap();
}

#[tokio::test]
async fn nothing_outlives_a_killed_test() {
    assert!(sink(SmtpTls::Plain, None).await.let_go(DEADLINE).await);
}
