//! What the path of a checkpoint tells, and when two are the same.

/// The number in `…/chk-42`.
pub(super) fn number_in(path: &str) -> Option<u64> {
    last(path)?.strip_prefix("chk-")?.parse().ok()
}

/// The run in `…/5fb8c1a2d3e4f5061728394a5b6c7d8e/chk-42`.
pub(super) fn run_in(path: &str) -> Option<&str> {
    number_in(path)?;
    let (before, _) = path.trim_end_matches('/').rsplit_once('/')?;
    last(before).filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The first digits of the run in `…/savepoint-5fb8c1-0123456789ab`.
pub(super) fn digits_in(path: &str) -> Option<&str> {
    let (digits, _) = last(path)?.strip_prefix("savepoint-")?.split_once('-')?;
    (digits.len() == 6).then_some(digits)
}

fn last(path: &str) -> Option<&str> {
    path.trim_end_matches('/').rsplit('/').next()
}

/// Whether two paths are the same place: `file:/x`, `file:///x` and `/x` are, and so are `s3:` and
/// `s3a:`; a slash at the end says nothing.
pub fn same_path(a: &str, b: &str) -> bool {
    a == b || plain_path(a) == plain_path(b)
}

/// A path as all its spellings have it.
pub(in crate::tracker) fn plain_path(path: &str) -> String {
    let path = path.trim().trim_end_matches('/');
    let (scheme, rest) = path.split_once(':').unwrap_or(("file", path));
    if scheme.contains('/') {
        return format!("file:{path}");
    }
    match scheme {
        "file" => format!("file:/{}", rest.trim_start_matches('/')),
        "s3a" | "s3p" | "s3n" => format!("s3:{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_run_where_it_does() {
        let run = "5fb8c1a2d3e4f5061728394a5b6c7d8e";
        for (path, of_run, digits) in [
            (format!("s3://b/ck/{run}/chk-7"), Some(run), None),
            (format!("s3://b/ck/{run}/chk-7/"), Some(run), None),
            (format!("s3://b/ck/{run}/shared"), None, None),
            ("s3://b/ck/orders/chk-7".to_owned(), None, None),
            ("chk-7".to_owned(), None, None),
            ("s3://b/sp/savepoint-5fb8c1-0123456789ab".to_owned(), None, Some("5fb8c1")),
            ("s3://b/sp/savepoint-mine".to_owned(), None, None),
            (String::new(), None, None),
        ] {
            assert_eq!((run_in(&path), digits_in(&path)), (of_run, digits), "{path}");
        }
    }
}
