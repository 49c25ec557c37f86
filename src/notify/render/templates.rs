//! The shipped templates and a user's own ones.

use std::collections::BTreeMap;
use std::path::Path;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext};
use serde::Serialize;

use super::{escape, table, words};
use crate::model::Problem;
use crate::notify::Language;

/// What `{{value}}` is escaped for; decided by the end of a template's file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Syntax {
    /// `.html.hbs`
    Html,
    /// `.md.hbs`: Feishu's card markdown.
    Markdown,
    /// `.mark.hbs`: the markdown of bots that know no escape, DingTalk's and WeCom's.
    Bare,
    /// `.mrkdwn.hbs`: Slack's.
    Mrkdwn,
    /// `.txt.hbs`: plain text.
    Text,
}

impl Syntax {
    fn of(name: &str) -> Option<Syntax> {
        let stem = name.strip_suffix(".hbs")?;
        let (_, kind) = stem.rsplit_once('.')?;
        match kind {
            "html" => Some(Syntax::Html),
            "md" => Some(Syntax::Markdown),
            "mark" => Some(Syntax::Bare),
            "mrkdwn" => Some(Syntax::Mrkdwn),
            "txt" => Some(Syntax::Text),
            _ => None,
        }
    }

    fn escape(self) -> fn(&str) -> String {
        match self {
            Syntax::Html => escape::html,
            Syntax::Markdown => escape::md,
            Syntax::Bare => escape::mark,
            Syntax::Mrkdwn => escape::mrkdwn,
            Syntax::Text => escape::plain,
        }
    }
}

/// All templates, compiled.
pub struct Templates {
    registries: BTreeMap<Syntax, Handlebars<'static>>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

/// Names of a user's own templates are kept apart, so that a shipped one stays as the way out.
const OWN: &str = "own:";

impl Templates {
    /// The shipped templates only.
    pub fn shipped() -> Templates {
        let mut templates = Templates::empty();
        for (name, text) in table::SHIPPED {
            let added = templates.add(name, name, text);
            debug_assert!(added.is_ok(), "{added:?}");
        }
        templates
    }

    /// The shipped templates, overridden by the files of the same name below `dir`.
    ///
    /// # Errors
    /// Every file that cannot be read, does not compile, has a name no shipped template has, or
    /// fails on sample data (an unknown variable, say).
    pub fn load(dir: Option<&Path>) -> Result<Templates, Vec<Problem>> {
        let mut templates = Templates::shipped();
        let Some(dir) = dir else { return Ok(templates) };
        let mut problems = Vec::new();
        if !dir.is_dir() {
            let hint = "create it, or leave `templates` out for the shipped ones";
            return Err(vec![problem(dir, 0, 0, "is not a folder".to_owned(), Some(hint))]);
        }
        for (name, _) in table::SHIPPED {
            let path = dir.join(name);
            if !path.exists() {
                continue;
            }
            match std::fs::read_to_string(&path) {
                Err(error) => {
                    problems.push(problem(&path, 0, 0, format!("cannot be read: {error}"), None));
                }
                Ok(text) => {
                    if let Err((line, column, what)) =
                        templates.add(&format!("{OWN}{name}"), name, &text)
                    {
                        problems.push(problem(&path, line, column, what, None));
                    } else if let Err((line, column, what)) = templates.try_samples(name) {
                        let hint = "the fields are listed in the documentation of templates";
                        problems.push(problem(&path, line, column, what, Some(hint)));
                    }
                }
            }
        }
        problems.extend(strangers(dir, dir));
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    fn empty() -> Templates {
        let syntaxes = [Syntax::Html, Syntax::Markdown, Syntax::Bare, Syntax::Mrkdwn, Syntax::Text];
        Templates { registries: syntaxes.into_iter().map(|s| (s, registry(s))).collect() }
    }

    fn add(&mut self, key: &str, name: &str, text: &str) -> Result<(), (u32, u32, String)> {
        let registry = Syntax::of(name)
            .and_then(|syntax| self.registries.get_mut(&syntax))
            .ok_or_else(|| (0, 0, format!("unknown kind of template `{name}`")))?;
        registry.register_template_string(key, text).map_err(|error| {
            let (line, column) = error.pos().unwrap_or((0, 0));
            (line as u32, column as u32, short(&error.reason().to_string()))
        })
    }

    fn try_samples(&self, name: &str) -> Result<(), (u32, u32, String)> {
        for data in super::build::probes() {
            self.render_key(&format!("{OWN}{name}"), name, &data)?;
        }
        Ok(())
    }

    fn render_key<T: Serialize>(
        &self,
        key: &str,
        name: &str,
        data: &T,
    ) -> Result<String, (u32, u32, String)> {
        let registry = Syntax::of(name)
            .and_then(|syntax| self.registries.get(&syntax))
            .ok_or_else(|| (0, 0, format!("no template `{name}`")))?;
        registry.render(key, data).map_err(|error| {
            let place = (error.line_no.unwrap_or(0) as u32, error.column_no.unwrap_or(0) as u32);
            (place.0, place.1, short(&error.reason().to_string()))
        })
    }

    /// Renders `<channel>/<language>/<file>`: the user's own if there is one and it works, else
    /// the shipped one; `None` when even that fails.
    pub fn render<T: Serialize>(
        &self,
        channel: &str,
        language: Language,
        file: &str,
        data: &T,
    ) -> Option<String> {
        let name = format!("{channel}/{}/{file}", words::code(language));
        let own = format!("{OWN}{name}");
        let has_own = Syntax::of(&name)
            .and_then(|syntax| self.registries.get(&syntax))
            .is_some_and(|registry| registry.has_template(&own));
        let keys = if has_own { vec![own, name.clone()] } else { vec![name.clone()] };
        for key in keys {
            match self.render_key(&key, &name, data) {
                Ok(text) => return Some(text.trim().to_owned()),
                Err((line, column, error)) => {
                    tracing::warn!(template = %key, line, column, error, "template failed");
                }
            }
        }
        None
    }
}

fn registry(syntax: Syntax) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(syntax.escape());
    for (name, escape) in [
        ("md", escape::md as fn(&str) -> String),
        ("mark", escape::mark),
        ("line", escape::line),
        ("plain", escape::plain),
        ("html", escape::html),
    ] {
        let helper = move |helper: &Helper<'_>,
                           _: &Handlebars<'_>,
                           _: &Context,
                           _: &mut RenderContext<'_, '_>,
                           out: &mut dyn Output|
              -> HelperResult {
            if let Some(param) = helper.param(0) {
                out.write(&escape(&param.render()))?;
            }
            Ok(())
        };
        registry.register_helper(name, Box::new(helper));
    }
    registry
}

/// Errors of the template engine span lines and draw; the last line says it.
fn short(text: &str) -> String {
    escape::cut(text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or(text).trim(), 200)
}

fn problem(path: &Path, line: u32, column: u32, what: String, hint: Option<&str>) -> Problem {
    let file = path.display().to_string();
    Problem { file, line, column, what, hint: hint.map(str::to_owned), warning: false }
}

/// Template files that override nothing: most likely a typing error.
fn strangers(root: &Path, dir: &Path) -> Vec<Problem> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return found };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            found.extend(strangers(root, &path));
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let is_template = path.extension().is_some_and(|end| end == "hbs");
        if is_template && !table::SHIPPED.iter().any(|(shipped, _)| *shipped == name) {
            let hint = "give it the name of the shipped template it replaces, such as \
                        feishu_bot/zh/body.md.hbs";
            found.push(problem(&path, 0, 0, "replaces no shipped template".to_owned(), Some(hint)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_shipped_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for (name, text) in table::SHIPPED {
            assert_eq!(&std::fs::read_to_string(root.join(name)).unwrap(), text, "{name}");
        }
        assert_eq!(strangers(&root, &root), []);
    }

    #[test]
    fn shipped_templates_render_every_sample() {
        let templates = Templates::shipped();
        for (name, _) in table::SHIPPED {
            for data in crate::notify::render::build::probes() {
                templates.render_key(name, name, &data).unwrap();
            }
        }
    }

    #[test]
    fn own_templates_win_and_their_errors_have_a_place() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("console/en");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("body.txt.hbs");
        std::fs::write(&file, "mine: {{title}}").unwrap();
        let templates = Templates::load(Some(dir.path())).unwrap();
        let data = &crate::notify::render::build::probes()[0];
        let text = templates.render("console", Language::En, "body.txt.hbs", data).unwrap();
        assert!(text.starts_with("mine: "), "{text}");

        std::fs::write(&file, "x\n{{titel}}").unwrap();
        std::fs::write(folder.join("bdy.txt.hbs"), "").unwrap();
        let problems = Templates::load(Some(dir.path())).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(problems[0].line, 2);
        assert!(problems[0].what.contains("titel"), "{}", problems[0]);
        std::fs::write(&file, "{{#if title}}").unwrap();
        assert_eq!(Templates::load(Some(dir.path())).unwrap_err().len(), 2);
    }
}
