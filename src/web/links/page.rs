//! The small page behind a link: what it is about, where that stands, and a button or two. No scripts.

use std::sync::LazyLock;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::notify::render::escape::{html, short};

/// Longest name somebody gives, in characters.
const NAME: usize = 60;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:2em auto;\
    padding:0 1em;color:#1d2939}h1{font-size:1.2em}input,button{font:inherit;padding:.5em;\
    margin:.3em .6em .3em 0}button{background:#b42318;color:#fff;border:0;padding:.6em 1.2em}\
    button.no{background:#667085}p{color:#475467}";

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// A button of the form: what it says, and what it sends as `do`.
pub(super) struct Button {
    pub(super) label: &'static str,
    pub(super) sends: &'static str,
    /// It is not what most would want.
    pub(super) second: bool,
}

/// What a page says.
#[derive(Default)]
pub(super) struct Page {
    pub(super) title: String,
    /// Plain text, a paragraph each.
    pub(super) lines: Vec<String>,
    /// None: there is nothing to do.
    pub(super) buttons: Vec<Button>,
}

impl Page {
    /// Only a word of Weir's own.
    pub(super) fn saying(text: &str) -> Page {
        Page { title: "Weir".to_owned(), lines: vec![text.to_owned()], buttons: Vec::new() }
    }

    pub(super) fn answer(&self, status: StatusCode) -> Response {
        let title = html(&self.title);
        let paragraphs = self.lines.iter().map(|line| format!("<p>{}</p>", html(line)));
        let buttons = self.buttons.iter().map(|Button { label, sends, second }| {
            let class = if *second { " class=\"no\"" } else { "" };
            format!("<button type=\"submit\" name=\"do\" value=\"{sends}\"{class}>{label}</button>")
        });
        let mut body: Vec<String> = paragraphs.collect();
        if !self.buttons.is_empty() {
            body.push(
                "<form method=\"post\"><label>Your name / 姓名 <input name=\"name\" \
                 maxlength=\"60\" autocomplete=\"name\"></label><br>"
                    .to_owned(),
            );
            body.extend(buttons);
            body.push("</form>".to_owned());
        }
        let body = body.concat();
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
}

/// A field of a form, one line.
pub(super) fn field(body: &[u8], wanted: &str) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    // A form is written as a query.
    let form = reqwest::Url::parse(&format!("http://form/?{text}"));
    let found = form.ok().and_then(|form| {
        let mut fields = form.query_pairs();
        fields.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    });
    short(found.unwrap_or_default().trim(), NAME)
}

/// Who does it, for timelines: the name they give, and for whom the link was.
pub(super) fn who(body: &[u8], receiver: &str) -> String {
    let receiver = short(receiver, NAME);
    match field(body, "name") {
        name if name.is_empty() => format!("link for {receiver}"),
        name => format!("{name} (link for {receiver})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(field(body.as_bytes(), "name"), name, "{body}");
        }
        let long = format!("name={}", "a".repeat(5_000));
        assert!(field(long.as_bytes(), "name").len() < 70);
        assert_eq!(field(&[0xff, 0xfe], "name"), "");
        assert_eq!(who(b"name=ann&do=approve", "team"), "ann (link for team)");
        assert_eq!(field(b"name=ann&do=approve", "do"), "approve");
    }

    #[test]
    fn what_stands_on_the_page_is_text() {
        let buttons = vec![Button { label: "Do", sends: "it", second: false }];
        let (title, lines) = ("<script>alert(1)</script>".to_owned(), vec!["<b>".to_owned()]);
        let response = Page { title, lines, buttons }.answer(StatusCode::OK);
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
