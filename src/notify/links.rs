//! Links in messages by which whoever reads one can say "I have it", or let a restart go on, without a
//! token of the API.
//!
//! A link names the incident or the restart, the message and the time it was written, and carries a
//! code over that and the receiver that only this installation can make. It is a pure function of the key, so that
//! the same message has the same bytes whenever it is written, and nothing of it has to be kept.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::model::Ts;

/// A link is good for so long.
pub const GOOD_FOR: Duration = Duration::from_hours(14 * 24);
/// Bytes of the code: nobody guesses that many.
const CODE: usize = 16;
/// Longest token that is looked at.
const LONGEST: usize = 100;

/// What makes links: a secret of the installation.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

/// What a link lets its reader do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Acknowledge this incident.
    Incident(u64),
    /// Approve or decline this restart, and no other.
    Restart(u64),
}

/// What a link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it lets its reader do.
    pub about: About,
    /// The message it stands in.
    pub message: u64,
    /// Wall time when that was written, in whole seconds.
    pub written: Ts,
    /// For whom that was.
    pub receiver: String,
}

impl LinkKey {
    /// From random bytes.
    pub fn new(bytes: [u8; 32]) -> LinkKey {
        LinkKey(bytes)
    }

    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<LinkKey> {
        Some(LinkKey(unhex(text)?.try_into().ok()?))
    }

    /// As [`LinkKey::parse`] reads it: to be kept, never to be shown.
    pub fn reveal(&self) -> String {
        hex(&self.0)
    }

    fn mac(&self, link: &Link) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        let Link { about, message, written, receiver } = link;
        let seconds = written.0.div_euclid(1_000);
        let (what, id) = match about {
            About::Incident(id) => ("acknowledge", id),
            About::Restart(id) => ("restart", id),
        };
        mac.update(format!("{what}\n{id}\n{message}\n{seconds}\n{receiver}").as_bytes());
        mac
    }

    /// The last part of the address.
    pub fn token(&self, link: &Link) -> String {
        let code = self.mac(link).finalize().into_bytes();
        let seconds = link.written.0.div_euclid(1_000);
        let code = hex(code.get(..CODE).unwrap_or_default());
        let about = match link.about {
            About::Incident(id) => id.to_string(),
            About::Restart(id) => format!("r{id}"),
        };
        format!("{about}-{}-{seconds:x}-{code}", link.message)
    }

    /// What a token is for, if this installation made it for one of these receivers. The time it
    /// takes tells nothing of the code.
    pub fn read<'a>(
        &self,
        token: &str,
        receivers: impl IntoIterator<Item = &'a str>,
    ) -> Option<Link> {
        if token.len() > LONGEST {
            return None;
        }
        let mut parts = token.split('-');
        let first = parts.next()?;
        let about = match first.strip_prefix('r') {
            Some(id) => About::Restart(id.parse().ok()?),
            None => About::Incident(first.parse().ok()?),
        };
        let message = parts.next()?.parse().ok()?;
        let seconds = i64::from_str_radix(parts.next()?, 16).ok()?;
        let code = unhex(parts.next()?).filter(|code| code.len() == CODE)?;
        if parts.next().is_some() {
            return None;
        }
        let written = Ts(seconds.checked_mul(1_000)?);
        let of = |receiver: &str| {
            let receiver = receiver.to_owned();
            let link = Link { about, message, written, receiver };
            let made = self.mac(&link).verify_truncated_left(&code).is_ok();
            // Written in another way it is another token.
            (made && self.token(&link) == token).then_some(link)
        };
        receivers.into_iter().find_map(of)
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).filter(|_| !c.is_ascii_uppercase());
    let digits: Vec<u32> = text.chars().map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| u8::try_from(pair.first()? << 4 | pair.last()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            about: About::Incident(128),
            message: 88,
            written: Ts(1_795_203_000_000),
            receiver: "ro 组".to_owned(),
        }
    }

    #[test]
    fn what_is_made_is_read_and_nothing_else() {
        let key = LinkKey::new([7; 32]);
        let token = key.token(&link());
        assert_eq!(token, key.token(&link()));
        assert!(token.starts_with("128-88-6b00") && token.len() < 64, "{token}");
        let all = ["a", "ro 组"];
        assert_eq!(key.read(&token, all), Some(link()));
        assert_eq!(key.read(&token, ["a"]), None, "another receiver's");
        assert_eq!(LinkKey::new([8; 32]).read(&token, all), None, "another installation's");
        // Whatever is changed, it is another one.
        for at in 0..token.len() {
            for other in ['0', '1', '-', 'f', 'F', 'x', '作'] {
                let mut changed: Vec<char> = token.chars().collect();
                if changed[at] != other {
                    changed[at] = other;
                    let changed: String = changed.into_iter().collect();
                    assert_eq!(key.read(&changed, all), None, "{changed}");
                }
            }
        }
        for wrong in ["", "-", "1-2-3", "128-88-6b00-", "1-2-3-4-5", &"9".repeat(4_000)] {
            assert_eq!(key.read(wrong, all), None, "{wrong}");
        }
        assert_eq!(key.read(&format!("{token}-0"), all), None);
        // The same number is another thing.
        let restart = Link { about: About::Restart(128), ..link() };
        assert_eq!(key.read(&key.token(&restart), all), Some(restart));
        assert_eq!(key.read(&format!("r{token}"), all), None);
        let shorter = token.get(..token.len() - 2).unwrap();
        assert_eq!(key.read(shorter, all), None, "a shorter code");
    }

    #[test]
    fn a_key_is_kept_as_text_and_never_shown() {
        let key = LinkKey::new([0xa5; 32]);
        let again = LinkKey::parse(&key.reveal()).unwrap();
        assert_eq!(again.token(&link()), key.token(&link()));
        assert_eq!(format!("{key:?}"), "LinkKey(…)");
        assert!(LinkKey::parse("a5").is_none() && LinkKey::parse(&"g".repeat(64)).is_none());
    }
}
