//! A link by which somebody says "I have it".
//!
//! It works once: what was acknowledged after its message was written is not acknowledged by it again,
//! also when it was given back since. It works for 14 days, and until the incident is over.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::{Button, Page, who};
use super::{Opened, about};
use crate::model::{Action, Incident, IncidentState, Time, Ts};
use crate::notify::render::rfc3339;
use crate::notify::{GOOD_FOR, Link};
use crate::web::Shared;
use crate::web::api::command::{Order, give};

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

pub(super) fn show(opened: &Opened, id: u64) -> Response {
    let incident = opened.view.incidents.get(&id).map(Arc::as_ref);
    let standing = standing(&opened.link, incident, opened.now());
    page(StatusCode::OK, id, incident, &said(&standing), standing == Standing::Good)
}

pub(super) async fn act(shared: &Shared, opened: &Opened, id: u64, body: &Bytes) -> Response {
    let incident = opened.view.incidents.get(&id).map(Arc::as_ref);
    let standing = standing(&opened.link, incident, opened.now());
    if standing != Standing::Good {
        return page(StatusCode::CONFLICT, id, incident, &said(&standing), false);
    }
    let name = who(body, &opened.link.receiver);
    let caller = Opened::caller(name.clone());
    let order = Order { id: Some(opened.command_id()), ..Order::default() };
    let what = |comment| Action::Ack { incident: id, comment };
    match give(shared, &caller, order, what).await {
        Ok(done) if done.repeated => {
            page(StatusCode::CONFLICT, id, incident, &said(&Standing::Used), false)
        }
        Ok(_) => {
            let text = format!("Acknowledged by {name}. / 已认领：{name}。");
            page(StatusCode::OK, id, incident, &text, false)
        }
        Err(error) => {
            let text = format!("That did not work: {}. / 操作失败。", error.text());
            page(error.status(), id, incident, &text, false)
        }
    }
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

fn page(
    status: StatusCode,
    id: u64,
    incident: Option<&Incident>,
    text: &str,
    button: bool,
) -> Response {
    let mut page = match incident {
        Some(incident) => about(incident),
        None => Page { title: format!("#{id}"), ..Page::default() },
    };
    page.lines.push(text.to_owned());
    if button {
        let label = "Acknowledge / 认领";
        page.buttons.push(Button { label, sends: "acknowledge", second: false });
    }
    page.answer(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Acknowledgement;
    use crate::notify::About;
    use crate::notify::render::probe;

    #[test]
    fn a_link_works_once_in_time_and_for_what_is_nobodys() {
        let now = Time::at(1_795_203_000_000);
        let day = 24 * 3_600_000;
        let link = |ago: i64| Link {
            about: About::Incident(7),
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
}
