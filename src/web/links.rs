//! `GET /l/{token}` shows an incident and a button, `POST /l/{token}` acknowledges it: for whoever
//! reads a message, without a token of the API. Whatever fetches links to look behind them changes
//! nothing.
//!
//! A link works once: what was acknowledged after its message was written is not acknowledged by it
//! again, also when it was given back since. It works for 14 days, and until the incident is over.

use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};

use super::Shared;
use super::api::command::{Order, give};
use super::auth::Caller;
use super::config::Scope;
use crate::engine::View;
use crate::model::{Action, Incident, IncidentState, Time, Ts};
use crate::notify::render::escape::{html, short};
use crate::notify::render::rfc3339;
use crate::notify::{GOOD_FOR, Link, name_of};

/// Where links are.
pub(super) const PATH: &str = "/l/";
/// Requests a minute, of all links together.
const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(599);
/// Longest name somebody gives, in characters.
const NAME: usize = 60;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:2em auto;\
    padding:0 1em;color:#1d2939}h1{font-size:1.2em}input,button{font:inherit;padding:.5em;\
    margin:.3em 0}button{background:#b42318;color:#fff;border:0;padding:.6em 1.2em}p{color:#475467}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// How many requests come.
pub(super) struct Gate(DefaultDirectRateLimiter);

impl Gate {
    pub(super) fn new() -> Gate {
        Gate(RateLimiter::direct(Quota::per_minute(PER_MINUTE)))
    }
}

/// What a link can do now.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Acknowledge it.
    Good,
    /// Somebody has it.
    Taken { by: String, at: Ts },
    /// Somebody had it since its message was written.
    Used,
    /// Its time is over.
    Old,
    /// The incident is over.
    Over,
}

/// Judges a link; `incident`: if it is still known.
fn standing(link: &Link, incident: Option<&Incident>, now: Time) -> Standing {
    let Some(incident) = incident.filter(|incident| incident.is_open()) else {
        return Standing::Over;
    };
    if let Some(taken) = &incident.acknowledged
        && incident.state == IncidentState::Acknowledged
    {
        return Standing::Taken { by: taken.by.clone(), at: taken.at };
    }
    if now.wall.since(link.written) > GOOD_FOR {
        return Standing::Old;
    }
    // Its time is in whole seconds: one of the very same second is taken for an earlier one.
    let nobodys = incident.nobodys_since.map(|at| now.wall.0 - (now.steady.0 - at.0));
    if nobodys.is_some_and(|since| link.written.0 + 1_000 <= since) {
        return Standing::Used;
    }
    Standing::Good
}

pub(super) async fn show(State(shared): State<Shared>, Path(token): Path<String>) -> Response {
    let (link, view) = match find(&shared, &token) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let incident = view.incidents.get(&link.incident).map(Arc::as_ref);
    let standing = standing(&link, incident, view.at.unwrap_or(Time::at(0)));
    page(StatusCode::OK, &link, incident, &said(&standing), standing == Standing::Good)
}

pub(super) async fn act(
    State(shared): State<Shared>,
    Path(token): Path<String>,
    body: Bytes,
) -> Response {
    let (link, view) = match find(&shared, &token) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let incident = view.incidents.get(&link.incident).map(Arc::as_ref);
    let standing = standing(&link, incident, view.at.unwrap_or(Time::at(0)));
    if standing != Standing::Good {
        return page(StatusCode::CONFLICT, &link, incident, &said(&standing), false);
    }
    let receiver = short(&link.receiver, NAME);
    let name = match given_name(&body) {
        name if name.is_empty() => format!("link for {receiver}"),
        name => format!("{name} (link for {receiver})"),
    };
    let only = Arc::new([]);
    let caller = Caller { name: name.clone(), scope: Scope::Operate, local: false, only };
    let id = Some(format!("link-{}-{}-{}", link.incident, link.message, link.written.0));
    let order = Order { id, ..Order::default() };
    let number = link.incident;
    let what = |comment| Action::Ack { incident: number, comment };
    match give(&shared, &caller, order, what).await {
        Ok(done) if done.repeated => {
            page(StatusCode::CONFLICT, &link, incident, &said(&Standing::Used), false)
        }
        Ok(_) => {
            let text = format!("Acknowledged by {name}. / 已认领：{name}。");
            page(StatusCode::OK, &link, incident, &text, false)
        }
        Err(error) => {
            let text = format!("That did not work: {}. / 操作失败。", error.text());
            page(error.status(), &link, incident, &text, false)
        }
    }
}

/// What a token is for, or the answer to who may not know.
fn find(shared: &Shared, token: &str) -> Result<(Link, Arc<View>), Box<Response>> {
    if shared.gate.0.check().is_err() {
        let text = "Too many requests; try again in a minute. / 请求过于频繁，请稍后再试。";
        return Err(Box::new(answer(StatusCode::TOO_MANY_REQUESTS, "Weir", &paragraph(text))));
    }
    let view = shared.view();
    let receivers = view.channels.keys().map(|id| id.receiver.as_str());
    let link = shared.web.links.as_ref().and_then(|key| key.read(token, receivers));
    link.map(|link| (link, Arc::clone(&view))).ok_or_else(|| {
        let text = "This link is none of this Weir's. / 链接无效。";
        Box::new(answer(StatusCode::NOT_FOUND, "Weir", &paragraph(text)))
    })
}

fn said(standing: &Standing) -> String {
    match standing {
        Standing::Good => "Nobody has it yet. / 目前无人认领。".to_owned(),
        Standing::Taken { by, at } => {
            let at = rfc3339(*at);
            format!("Acknowledged by {by} at {at}. / {by} 已于 {at} 认领。")
        }
        Standing::Used => "This link was used, or somebody has had it since; a later message has \
                           another one. / 链接已使用，或其间已有人认领过；请使用更新的消息中的链接。"
            .to_owned(),
        Standing::Old => "This link is too old. / 链接已过期。".to_owned(),
        Standing::Over => "It is over already. / 故障已结束。".to_owned(),
    }
}

/// The field `name` of a form, one line.
fn given_name(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    // A form is written as a query.
    let form = reqwest::Url::parse(&format!("http://form/?{text}"));
    let name = form.ok().and_then(|form| {
        let mut fields = form.query_pairs();
        fields.find(|(name, _)| name == "name").map(|(_, value)| value.into_owned())
    });
    short(name.unwrap_or_default().trim(), NAME)
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", html(text))
}

fn page(
    status: StatusCode,
    link: &Link,
    incident: Option<&Incident>,
    text: &str,
    button: bool,
) -> Response {
    let mut body = String::new();
    let title = match incident {
        Some(incident) => {
            let name = name_of(incident);
            let what = format!("{name} · {} · #{}", incident.rule, incident.id);
            let since = format!(
                "{} · since / 开始于 {}",
                incident.severity.as_str(),
                rfc3339(incident.opened_at)
            );
            body.push_str(&paragraph(&since));
            short(&what, 200)
        }
        None => format!("#{}", link.incident),
    };
    body.push_str(&paragraph(text));
    if button {
        body.push_str(
            "<form method=\"post\"><label>Your name / 姓名 <input name=\"name\" maxlength=\"60\" \
             autocomplete=\"name\"></label><br><button type=\"submit\">Acknowledge / 认领</button>\
             </form>",
        );
    }
    answer(status, &title, &body)
}

fn answer(status: StatusCode, title: &str, body: &str) -> Response {
    let title = html(title);
    let page = format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"><title>{title}\
         </title><style>{STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Acknowledgement;
    use crate::notify::render::probe;

    #[test]
    fn a_link_works_once_in_time_and_for_what_is_nobodys() {
        let now = Time::at(1_795_203_000_000);
        let day = 24 * 3_600_000;
        let link = |ago: i64| Link {
            incident: 7,
            message: 1,
            written: now.wall.shifted(-ago),
            receiver: "team".to_owned(),
        };
        let open = probe::failing(7, "a").incident;
        let judge = |incident: &Incident, ago| standing(&link(ago), Some(incident), now);
        assert_eq!(judge(&open, 0), Standing::Good);
        assert_eq!(judge(&open, 14 * day), Standing::Good);
        assert_eq!(judge(&open, 14 * day + 1_000), Standing::Old);
        assert_eq!(standing(&link(0), None, now), Standing::Over);
        assert_eq!(judge(&probe::recovered(7, "a").incident, 0), Standing::Over);
        let mut taken = open.clone();
        taken.state = IncidentState::Acknowledged;
        let (by, comment) = ("ann".to_owned(), String::new());
        taken.acknowledged = Some(Acknowledgement { by: by.clone(), at: Ts(5), comment });
        assert_eq!(judge(&taken, 0), Standing::Taken { by, at: Ts(5) });
        let mut back = open;
        back.nobodys_since = Some(now.steady.shifted(-60_000));
        assert_eq!(judge(&back, 61_000), Standing::Used);
        assert_eq!(judge(&back, 59_000), Standing::Good);
    }

    #[test]
    fn names_are_read_from_a_form_and_bounded() {
        for (body, name) in [
            ("", ""),
            ("name=", ""),
            ("name=ann", "ann"),
            ("x=1&name=+%E5%BC%A0%E4%B8%89+", "张三"),
            ("name=a%0Ab", "a b"),
            ("#name=a", ""),
        ] {
            assert_eq!(given_name(body.as_bytes()), name, "{body}");
        }
        assert!(given_name(format!("name={}", "a".repeat(5_000)).as_bytes()).len() < 70);
        assert_eq!(given_name(&[0xff, 0xfe]), "");
    }

    #[test]
    fn what_stands_on_the_page_is_text() {
        let mut incident = probe::failing(7, "<script>alert(1)</script>").incident;
        incident.labels.set("job_name", "<script>alert(1)</script>");
        let link = Link { incident: 7, message: 1, written: Ts(0), receiver: String::new() };
        let response = page(StatusCode::OK, &link, Some(&incident), "<b>", true);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-robots-tag"], "noindex, nofollow");
        let bytes = futures_util::FutureExt::now_or_never(axum::body::to_bytes(
            response.into_body(),
            1 << 20,
        ));
        let text = String::from_utf8(bytes.unwrap().unwrap().to_vec()).unwrap();
        assert!(!text.contains("<script") && !text.contains("<b>"), "{text}");
        assert!(text.contains("&lt;script&gt;") && text.contains("method=\"post\""), "{text}");
    }
}
