//! One mail over one connection, to as many of its recipients as the server takes.

use lettre::Address;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::{self, extension};

use super::server::Failure;
use crate::notify::channels::wire;

/// The server goes away: what it says then is about no recipient.
const GOES_AWAY: u16 = 421;

/// What the server said of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The mail is on its way there.
    Taken,
    /// 4xx: not now.
    Later(String),
    /// 5xx: never; the code.
    Never(u16, String),
}

/// Hands the mail over for those the server takes; none taken, no mail.
///
/// # Errors
/// When it is not about single recipients: nobody has the mail then.
pub(super) async fn run(
    server: &mut AsyncSmtpConnection,
    from: &Address,
    to: Vec<Address>,
    mail: &[u8],
) -> Result<Vec<(Address, Said)>, smtp::Error> {
    let is_plain = |address: &Address| address.to_string().is_ascii();
    let all_plain = is_plain(from) && to.iter().all(is_plain);
    let takes_any = server.server_info().supports_feature(extension::Extension::SmtpUtfEight);
    let mut parameters = Vec::new();
    if takes_any && !all_plain {
        parameters.push(extension::MailParameter::SmtpUtfEight);
    } else if !is_plain(from) {
        return Ok(to.into_iter().map(|to| (to, beyond_ascii())).collect());
    }
    server.command(Mail::new(Some(from.clone()), parameters)).await?;
    let mut all = Vec::with_capacity(to.len());
    for to in to {
        let said = if takes_any || is_plain(&to) {
            let answer = server.command(Rcpt::new(to.clone(), Vec::new())).await;
            answer.map_or_else(said, |_| Ok(Said::Taken))?
        } else {
            beyond_ascii()
        };
        all.push((to, said));
    }
    if all.iter().any(|(_, said)| *said == Said::Taken) {
        server.command(Data).await?;
        server.message(mail).await?;
    }
    Ok(all)
}

/// What a refusal says of a recipient.
///
/// # Errors
/// When it says nothing of one.
fn said(error: smtp::Error) -> Result<Said, smtp::Error> {
    match Failure::of(&error) {
        Failure::Permanent(code) => Ok(Said::Never(code, wire::chain(&error))),
        Failure::Transient(code) if code != GOES_AWAY => Ok(Said::Later(wire::chain(&error))),
        _ => Err(error),
    }
}

fn beyond_ascii() -> Said {
    Said::Never(553, "the server takes no address beyond ASCII (no SMTPUTF8)".to_owned())
}
