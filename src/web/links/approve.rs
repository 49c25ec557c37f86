//! A link by which somebody lets a restart go on that waits for that, or says that it is not wanted.
//!
//! It is good for that one restart, while it waits and for 14 days: an attempt after it has another.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::tz::TimeZone;

use super::page::{Button, Page, field, who};
use super::{Opened, about};
use crate::engine::Waiting;
use crate::model::{Action, Incident};
use crate::notify::render::doing;
use crate::notify::{GOOD_FOR, Language};
use crate::web::Shared;
use crate::web::api::command::{Order, give};

const OLD: &str = "This link is too old. / 链接已过期。";
const OVER: &str = "This restart does not wait for approval any more. / 该重启已不再等待批准。";

/// The restart, while the link is good; else why it is not.
fn standing(opened: &Opened, id: u64) -> Result<&Waiting, &'static str> {
    let waiting = opened.view.restarts.waiting.get(&id).ok_or(OVER)?;
    let age = opened.now().wall.since(opened.link.written);
    if age > GOOD_FOR { Err(OLD) } else { Ok(waiting) }
}

fn incident_of<'a>(opened: &'a Opened, waiting: &Waiting) -> Option<&'a Incident> {
    opened.view.incidents.get(&waiting.incident?).map(Arc::as_ref)
}

pub(super) fn show(opened: &Opened, id: u64) -> Response {
    match standing(opened, id) {
        Ok(waiting) => {
            let mut page = page_of(opened, id, waiting);
            page.buttons
                .push(Button { label: "Restart / 重启", sends: "approve", second: false });
            let label = "Do not restart / 不重启";
            page.buttons.push(Button { label, sends: "decline", second: true });
            page.answer(StatusCode::OK)
        }
        Err(why) => over(id, why).answer(StatusCode::OK),
    }
}

pub(super) async fn act(shared: &Shared, opened: &Opened, id: u64, body: &Bytes) -> Response {
    let waiting = match standing(opened, id) {
        Ok(waiting) => waiting,
        Err(why) => return over(id, why).answer(StatusCode::CONFLICT),
    };
    let mut page = page_of(opened, id, waiting);
    let approve = match field(body, "do").as_str() {
        "approve" => true,
        "decline" => false,
        _ => {
            let text = "Send `do=approve` or `do=decline`. / 请提交 do=approve 或 do=decline。";
            page.lines.push(text.to_owned());
            return page.answer(StatusCode::BAD_REQUEST);
        }
    };
    let name = who(body, &opened.link.receiver);
    let caller = Opened::caller(name.clone());
    let order = Order { id: Some(opened.command_id()), ..Order::default() };
    let what = |comment| Action::DecideRestart { restart: id, approve, comment };
    let (status, text) = match give(shared, &caller, order, what).await {
        Ok(done) if done.repeated => (StatusCode::CONFLICT, OVER.to_owned()),
        Ok(done) if approve => {
            let text = match done.holds.first() {
                None => format!("Approved by {name}: it is restarted. / 已批准：{name}。"),
                Some((_, why)) => format!(
                    "Approved by {name}; it waits, at most 10 minutes: {why}. / 已批准：{name}，暂时等待。"
                ),
            };
            (StatusCode::OK, text)
        }
        Ok(_) => {
            (StatusCode::OK, format!("Declined by {name}: not restarted. / 已取消重启：{name}。"))
        }
        Err(error) => {
            let text = format!("That did not work: {}. / 操作失败。", error.text());
            (error.status(), text)
        }
    };
    page.lines.push(text);
    page.answer(status)
}

fn page_of(opened: &Opened, id: u64, waiting: &Waiting) -> Page {
    let Some(incident) = incident_of(opened, waiting) else {
        return Page { title: format!("{} · {id}", waiting.job), ..Page::default() };
    };
    let mut page = about(incident);
    page.lines.push(waiting.job.to_string());
    if let Some(cause) = &incident.root_cause {
        page.lines.push(cause.line());
    }
    if let Some(known) = &incident.doing {
        let words = |language| doing(known, language, opened.now().wall, &TimeZone::UTC);
        page.lines.push(format!("{} / {}", words(Language::En), words(Language::Zh)));
    }
    page
}

fn over(id: u64, why: &str) -> Page {
    let lines = vec![why.to_owned()];
    Page { title: format!("Restart {id} / 重启 {id}"), lines, buttons: Vec::new() }
}
