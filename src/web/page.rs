//! The status page: one static file, nothing from elsewhere, allowed by the hashes of its own
//! script and style and by nothing else.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag: &str| {
        let text = PAGE.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
        let text = text.split_once(&format!("</{tag}>")).map_or("", |(inner, _)| inner);
        BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()))
    };
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
});

pub(super) async fn page() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY.as_str())], Html(PAGE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        for banned in
            ["http://", "https://", "innerHTML", "onclick", "onload", "eval(", "style=", "src="]
        {
            assert!(!PAGE.contains(banned), "{banned}");
        }
        assert_eq!(PAGE.matches("<script>").count(), 1);
        assert_eq!(PAGE.matches("<style>").count(), 1);
        assert!(POLICY.contains("script-src 'sha256-"));
    }
}
