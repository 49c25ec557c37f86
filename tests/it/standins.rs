//! The stand-ins prove that they refuse what the real thing refuses, and take what it takes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics, in its helpers too")]

mod dingtalk;
mod feishu;
mod fleet;
mod pagerduty;
mod smtp;
mod webhook;
mod wecom;

use std::sync::Once;
use std::time::Duration;

/// Generous: a loaded machine is slow, a broken stand-in is slower.
const DEADLINE: Duration = Duration::from_secs(10);

#[expect(clippy::disallowed_methods, reason = "a bare client, to test the stand-ins only")]
fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else in this process may have been first; either way there is one.
        drop(rustls::crypto::ring::default_provider().install_default());
    });
    let builder = reqwest::Client::builder().timeout(DEADLINE).no_proxy();
    builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}
