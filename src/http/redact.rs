//! What may be shown of a URL or an answer: never credentials, never more than a line.

use reqwest::Url;
use serde::Deserialize;

/// Path parts after which the next one is a token (Feishu, Slack and their like).
const TOKEN_AFTER: [&str; 3] = ["hook", "hooks", "services"];

/// `url` without user info, without query values and without the tokens of webhook paths.
pub fn redact_url(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return "<invalid url>".to_owned() };
    let mut shown = format!("{}://{}", url.scheme(), url.host_str().unwrap_or(""));
    if let Some(port) = url.port() {
        shown.push(':');
        shown.push_str(&port.to_string());
    }
    let mut secret = false;
    for part in url.path().split('/').skip(1) {
        shown.push('/');
        shown.push_str(if secret && !part.is_empty() { "…" } else { part });
        secret = secret || TOKEN_AFTER.contains(&part);
    }
    for (i, (name, _)) in url.query_pairs().enumerate() {
        shown.push(if i == 0 { '?' } else { '&' });
        shown.push_str(&name);
        shown.push_str("=…");
    }
    one_line(&shown, 300)
}

/// At most `max` characters of `text` on one line.
pub fn one_line(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            space = count > 0;
            continue;
        }
        if count + usize::from(space) >= max {
            line.push('…');
            break;
        }
        if space {
            line.push(' ');
            count += 1;
            space = false;
        }
        line.push(c);
        count += 1;
    }
    line
}

/// Errors as Flink writes them, each with its stack trace.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// The start of an answer's body, fit for an error message.
pub(super) fn excerpt(body: &[u8]) -> String {
    if let Ok(Errors { errors }) = serde_json::from_slice(body) {
        let lines = errors.iter().filter_map(|e| e.lines().find(|l| !l.trim().is_empty()));
        return one_line(&lines.collect::<Vec<_>>().join("; "), 300);
    }
    let start = body.get(..4096).unwrap_or(body);
    let text = String::from_utf8_lossy(start);
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|from| {
        let to = lower.get(from..)?.find("</title>")?;
        text.get(from + "<title>".len()..from + to)
    });
    one_line(title.unwrap_or(&text), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets() {
        let cases = [
            ("http://u:p@jm:8081/jobs/overview", "http://jm:8081/jobs/overview"),
            ("https://h/metrics?get=a,b&token=x", "https://h/metrics?get=…&token=…"),
            ("https://f.cn/open-apis/bot/v2/hook/abc-def", "https://f.cn/open-apis/bot/v2/hook/…"),
            ("https://s.com/services/T0/B0/xyz", "https://s.com/services/…/…/…"),
            ("https://h/", "https://h/"),
            ("not a url p4ssw0rd", "<invalid url>"),
        ];
        for (url, shown) in cases {
            assert_eq!(redact_url(url), shown);
        }
    }

    #[test]
    fn lines_are_bounded_by_characters() {
        assert_eq!(one_line("  a\r\n\tb  c\u{7} ", 10), "a b c");
        assert_eq!(one_line("告警告警", 2), "告警…");
        assert_eq!(one_line("ab cd", 3), "ab…");
        assert_eq!(one_line("", 3), "");
    }

    #[test]
    fn a_page_is_shown_by_its_title() {
        let page = b"<html><TITLE>502 Bad\n Gateway</TITLE><body>x</body>";
        assert_eq!(excerpt(page), "502 Bad Gateway");
        let errors = br#"{"errors":["", "a.NotFoundException: no job\n\tat a.B.c(B.java:1)"]}"#;
        assert_eq!(excerpt(errors), "a.NotFoundException: no job");
        assert_eq!(excerpt(b"{\"x\":1}"), "{\"x\":1}");
    }
}
