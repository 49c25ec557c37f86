//! The release a stand-in cluster pretends to be.

use std::str::FromStr;

use anyhow::Context as _;

/// A Flink release, `1.15.x` to `2.3.x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u8,
    minor: u8,
    patch: u8,
}

impl Version {
    /// The last 1.x line.
    pub const V1_20: Self = Self { major: 1, minor: 20, patch: 5 };
    /// A 2.x line.
    pub const V2_2: Self = Self { major: 2, minor: 2, patch: 1 };

    /// Whether this release is `major.minor` or newer.
    pub const fn at_least(self, major: u8, minor: u8) -> bool {
        self.major > major || (self.major == major && self.minor >= minor)
    }

    /// The body of `/config`.
    pub(super) fn config(self) -> String {
        let mut features = r#""web-submit":true,"web-cancel":true"#.to_owned();
        if self.at_least(1, 18) {
            features.push_str(r#","web-rescale":false"#);
        }
        if self.at_least(1, 16) {
            features.push_str(r#","web-history":false"#);
        }
        format!(
            concat!(
                r#"{{"refresh-interval":3000,"timezone-name":"Coordinated Universal Time","#,
                r#""timezone-offset":0,"flink-version":"{}","flink-revision":"#,
                r#""0980485 @ 2026-06-08T09:21:06+02:00","features":{{{}}}}}"#
            ),
            self, features
        )
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.split('.').map(str::parse::<u8>);
        let mut part = || parts.next().transpose().ok().flatten();
        let (major, minor) = part().zip(part()).context("a version is major.minor[.patch]")?;
        let version = Self { major, minor, patch: part().unwrap_or(0) };
        anyhow::ensure!(version.at_least(1, 15), "older than 1.15: {version}");
        Ok(version)
    }
}
