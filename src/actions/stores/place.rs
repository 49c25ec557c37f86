//! Where a path of Flink's points to.

use std::borrow::Cow;
use std::path::{Component, PathBuf};

/// What makes a folder a checkpoint or savepoint: its file of this name.
pub(super) const METADATA: &str = "_metadata";
/// Stores of these schemes are asked by other protocols.
const NOT_S3: [&str; 8] = ["file", "hdfs", "viewfs", "webhdfs", "abfs", "abfss", "wasb", "wasbs"];

/// Where a path points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder or file of this host: as it is written and, if that differs, with `%20` and its like
    /// taken as a space and its like. Flink writes paths as they are; what a person wrote may be
    /// a URI.
    Local(Vec<PathBuf>),
    /// Something in a bucket; the keys likewise.
    Object {
        /// `s3` for `s3a` and `s3p` too.
        scheme: String,
        /// Name of the bucket.
        bucket: String,
        /// Keys it may stand under, without a slash at either end.
        keys: Vec<String>,
    },
    /// Neither; nobody can look.
    Elsewhere,
}

/// Reads a path as Flink writes it.
pub(super) fn place(path: &str) -> Place {
    let Some((scheme, rest)) = split_scheme(path) else {
        return local(path);
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme == "file" {
        return match rest.strip_prefix("//") {
            None => local(rest),
            Some(rest) => {
                let (host, path) = split_at_slash(rest);
                if matches!(host, "" | "localhost") { local(path) } else { Place::Elsewhere }
            }
        };
    }
    let Some(rest) = rest.strip_prefix("//") else { return Place::Elsewhere };
    let (bucket, key) = split_at_slash(rest);
    let named = bucket.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if NOT_S3.contains(&scheme.as_str()) || bucket.is_empty() || !named {
        return Place::Elsewhere;
    }
    let scheme = if matches!(scheme.as_str(), "s3a" | "s3p") { "s3".to_owned() } else { scheme };
    let mut keys = Vec::new();
    for key in spellings(key) {
        let parts: Vec<&str> = key.split('/').filter(|part| !part.is_empty()).collect();
        // An address cannot name these: it would name something else.
        if parts.iter().any(|part| matches!(*part, "." | "..")) {
            return Place::Elsewhere;
        }
        keys.push(parts.join("/"));
    }
    Place::Object { scheme, bucket: bucket.to_owned(), keys }
}

fn local(path: &str) -> Place {
    let spellings: Vec<PathBuf> = spellings(path).map(|path| PathBuf::from(&*path)).collect();
    let plain = |path: &PathBuf| {
        path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
    };
    if spellings.iter().all(plain) { Place::Local(spellings) } else { Place::Elsewhere }
}

fn split_scheme(path: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = path.split_once(':')?;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_one =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(letters);
    is_one.then_some((scheme, rest))
}

fn split_at_slash(text: &str) -> (&str, &str) {
    text.find('/').map_or((text, ""), |at| text.split_at(at))
}

/// The text, and what it is without percent-encoding if that is another one.
fn spellings(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let decoded = decode(text).filter(|decoded| decoded != text).map(Cow::Owned);
    std::iter::once(Cow::Borrowed(text)).chain(decoded)
}

/// None: not all of it is encoded well, or it is no text then.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn on_host(paths: &[&str]) -> Place {
        Place::Local(paths.iter().map(PathBuf::from).collect())
    }

    fn object(scheme: &str, bucket: &str, keys: &[&str]) -> Place {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Place::Object { scheme: scheme.to_owned(), bucket: bucket.to_owned(), keys }
    }

    #[test]
    fn every_spelling_of_flink_is_read() {
        let table = [
            ("file:/ck/j/chk-7", on_host(&["/ck/j/chk-7"])),
            ("file:///ck/j/chk-7", on_host(&["/ck/j/chk-7"])),
            ("file://localhost/ck", on_host(&["/ck"])),
            ("FILE:/ck", on_host(&["/ck"])),
            ("/ck/j/chk-7", on_host(&["/ck/j/chk-7"])),
            ("/ck/a:b/chk-7", on_host(&["/ck/a:b/chk-7"])),
            ("file:/my ck/chk-7", on_host(&["/my ck/chk-7"])),
            ("file:/my%20ck/chk-7", on_host(&["/my%20ck/chk-7", "/my ck/chk-7"])),
            ("file:/%E5%8D%95/chk-7", on_host(&["/%E5%8D%95/chk-7", "/单/chk-7"])),
            ("file:/100%/chk-7", on_host(&["/100%/chk-7"])),
            ("file:/a%00b", on_host(&["/a%00b"])),
            ("file:/a%ffb", on_host(&["/a%ffb"])),
            ("file://nas-1/ck/chk-7", Place::Elsewhere),
            ("file:ck/chk-7", Place::Elsewhere),
            ("ck/chk-7", Place::Elsewhere),
            ("file:/ck/../etc", Place::Elsewhere),
            ("file:/ck/%2E%2E/etc", Place::Elsewhere),
            ("", Place::Elsewhere),
            ("s3://b/flink/j/chk-7", object("s3", "b", &["flink/j/chk-7"])),
            ("s3a://b/flink/j/chk-7/", object("s3", "b", &["flink/j/chk-7"])),
            ("s3p://my.b-1/flink//j", object("s3", "my.b-1", &["flink/j"])),
            ("s3://b", object("s3", "b", &[""])),
            ("oss://b/ck", object("oss", "b", &["ck"])),
            ("s3://b/a%20b", object("s3", "b", &["a%20b", "a b"])),
            ("s3://b/a/../other", Place::Elsewhere),
            ("s3://b/a/./c", Place::Elsewhere),
            ("s3:///a", Place::Elsewhere),
            ("s3://user@b/a", Place::Elsewhere),
            ("hdfs://nn:8020/ck/chk-7", Place::Elsewhere),
            ("hdfs:///ck/chk-7", Place::Elsewhere),
            ("abfss://c@account/ck", Place::Elsewhere),
        ];
        for (path, expected) in table {
            assert_eq!(place(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_path_is_found_as_it_was(parts in prop::collection::vec("[^/\0]{1,8}", 1..5)) {
            prop_assume!(!parts.iter().any(|part| part == "." || part == ".."));
            let plain = format!("/{}", parts.join("/"));
            let encode = |byte: u8| match byte {
                b'/' => "/".to_owned(),
                byte => format!("%{byte:02X}"),
            };
            let encoded: String = plain.bytes().map(encode).collect();
            let Place::Local(found) = place(&format!("file:{encoded}")) else {
                return Err(TestCaseError::fail(encoded));
            };
            prop_assert!(found.contains(&PathBuf::from(&plain)), "{found:?}");
            let as_it_is = place(&format!("file://{plain}"));
            let is_first = matches!(&as_it_is, Place::Local(found) if found[0].to_str() == Some(&plain));
            prop_assert!(is_first || as_it_is == Place::Elsewhere, "{as_it_is:?}");
        }

        #[test]
        fn anything_is_read(path in ".{0,64}") {
            if let Place::Object { keys, .. } = place(&path) {
                for key in keys {
                    prop_assert!(!key.starts_with('/') && !key.ends_with('/'));
                    prop_assert!(!key.split('/').any(|part| part == ".."));
                }
            }
        }
    }
}
