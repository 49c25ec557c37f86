//! `${NAME}` in values, from the environment. Expansion happens in the parsed tree, so a value
//! full of quotes, colons and newlines stays one value.

use crate::yaml::findings::Findings;
use crate::yaml::tree::{Kind, Node, Style, excerpt};

/// Where variables come from: the process' environment, or a table in tests.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process: the only place that reads it.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere else")]
pub fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Expands every value below `node`; a value that cannot be expanded is reported and dropped.
pub(super) fn expand(node: &mut Node, env: Env<'_>, findings: &mut Findings) {
    match &mut node.kind {
        Kind::List(items) => {
            for item in items {
                expand(item, env, findings);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                expand(&mut entry.value, env, findings);
            }
        }
        Kind::Scalar(scalar) if scalar.text.contains("${") => match substitute(&scalar.text, env) {
            Ok((text, used)) => {
                if !used.is_empty() {
                    scalar.shown = Some(excerpt(&scalar.text));
                    scalar.style = Style::Expanded;
                }
                for (name, value) in used {
                    findings.hide(&value, format!("${{{name}}}"));
                }
                scalar.text = text;
            }
            Err((what, hint)) => {
                findings.error(node.place, what, hint);
                findings.drop_node(node.id);
            }
        },
        Kind::Scalar(_) => {}
    }
}

/// A text with its variables replaced, and the names and values of those.
type Substituted = (String, Vec<(String, String)>);

fn substitute(text: &str, env: Env<'_>) -> Result<Substituted, (String, String)> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut used = Vec::new();
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(kept) = before.strip_suffix('$') {
            out.push_str(kept);
            out.push_str("${");
            rest = after;
            continue;
        }
        out.push_str(before);
        let escape = "write `$${` for a literal `${`".to_owned();
        let Some((name, after)) = after.split_once('}') else {
            return Err(("`${` without its `}`".to_owned(), escape));
        };
        if !is_name(name) {
            return Err((
                format!("`${{{}}}` is not the name of an environment variable", excerpt(name)),
                escape,
            ));
        }
        let Some(value) = env(name) else {
            return Err((
                format!("environment variable `{}` is not set", excerpt(name)),
                format!("set it, or {escape}"),
            ));
        };
        out.push_str(&value);
        used.push((name.to_owned(), value));
        rest = after;
    }
    out.push_str(rest);
    Ok((out, used))
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_and_escapes_kept() {
        let env = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "EVIL" => Some("x\"\n  injected: ${A}".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("${A}", Ok("1")),
            ("a-${A}-${A}", Ok("a-1-1")),
            ("$${A}", Ok("${A}")),
            ("$A", Ok("$A")),
            ("${EVIL}", Ok("x\"\n  injected: ${A}")),
            ("${B}", Err("environment variable `B` is not set")),
            ("${A", Err("`${` without its `}`")),
            ("${A:-x}", Err("`${A:-x}` is not the name of an environment variable")),
            ("${}", Err("`${}` is not the name of an environment variable")),
        ] {
            let got = substitute(text, &env).map(|(text, _)| text).map_err(|(what, _)| what);
            assert_eq!(got, expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
