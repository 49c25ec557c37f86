//! Annotations: short templates of a rule, rendered with the subject's labels and the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, Path, PathSeg, RenderContext,
    RenderErrorReason, Renderable, Template,
};
use serde_json::{Map, Value};

/// Rendered text longer than this is cut.
const MAX_CHARS: usize = 600;
/// A longer template is no annotation.
const MAX_TEMPLATE_CHARS: usize = 4_000;
/// Blocks and brackets inside each other: the compiler recurses on them.
const MAX_DEPTH: usize = 16;

/// One for all rules: ten thousand rules are ten thousand templates, not as many registries.
static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    // Escaped later, for where the text lands: nobody knows that here.
    registry.register_escape_fn(handlebars::no_escape);
    let helpers: [(&str, WriteNumber); 5] = [
        ("duration", duration_en),
        ("duration_zh", duration_zh),
        ("number", in_digits),
        ("percent", percent),
        ("bytes", in_bytes),
    ];
    for (name, write) in helpers {
        registry.register_helper(name, Box::new(Shown(write)));
    }
    registry
});

/// The compiled templates of one rule, by key.
#[derive(Debug, Clone, Default)]
pub struct Annotations(BTreeMap<String, Arc<Annotation>>);

#[derive(Debug)]
struct Annotation {
    text: String,
    template: Template,
}

impl PartialEq for Annotations {
    fn eq(&self, other: &Self) -> bool {
        let texts = |a: &Self| -> Vec<(String, String)> {
            a.0.iter().map(|(key, one)| (key.clone(), one.text.clone())).collect()
        };
        texts(self) == texts(other)
    }
}

impl Annotations {
    /// Adds one, or puts it in the place of the one of that key.
    ///
    /// # Errors
    /// When the template does not compile.
    pub fn add(&mut self, key: &str, template: &str) -> Result<(), String> {
        if template.chars().count() > MAX_TEMPLATE_CHARS {
            return Err(format!("longer than {MAX_TEMPLATE_CHARS} characters"));
        }
        if template.matches("{{#").count().max(template.matches('(').count()) > MAX_DEPTH
            && depth(template) > MAX_DEPTH
        {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        let compiled = Template::compile(template).map_err(|e| {
            e.reason().to_string().to_lowercase().chars().take(160).collect::<String>()
        })?;
        let one = Annotation { text: template.to_owned(), template: compiled };
        self.0.insert(key.to_owned(), Arc::new(one));
        Ok(())
    }

    /// Renders all. One that names a value this subject does not have is left out: channels fall
    /// back to the alert's name.
    pub fn render(&self, values: &Map<String, Value>) -> BTreeMap<String, String> {
        if self.0.is_empty() {
            return BTreeMap::new();
        }
        let Ok(context) = Context::wraps(values) else { return BTreeMap::new() };
        let rendered = |(key, one): (&String, &Arc<Annotation>)| {
            let mut render = RenderContext::new(None);
            let text = one.template.renders(&REGISTRY, &context, &mut render).ok()?;
            Some((key.clone(), text.chars().take(MAX_CHARS).collect()))
        };
        self.0.iter().filter_map(rendered).collect()
    }

    /// The values each annotation names, by its key.
    pub fn names(&self) -> impl Iterator<Item = (&str, BTreeSet<String>)> {
        self.0.iter().map(|(key, one)| {
            let mut names = BTreeSet::new();
            collect(&one.template.elements, &mut names);
            (key.as_str(), names)
        })
    }
}

/// How deep blocks or brackets stand inside each other, at most.
fn depth(template: &str) -> usize {
    let (mut blocks, mut brackets, mut most) = (0_usize, 0_usize, 0_usize);
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("{{#") || rest.starts_with("{{^") {
            blocks += 1;
        } else if rest.starts_with("{{/") {
            blocks = blocks.saturating_sub(1);
        } else if c == '(' {
            brackets += 1;
        } else if c == ')' {
            brackets = brackets.saturating_sub(1);
        }
        most = most.max(blocks + brackets);
        rest = rest.split_at(c.len_utf8()).1;
    }
    most
}

fn collect(elements: &[TemplateElement], names: &mut BTreeSet<String>) {
    for element in elements {
        match element {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
                of_call(call, names);
            }
            TemplateElement::HelperBlock(call) => {
                of_call(call, names);
                let inner = [&call.template, &call.inverse];
                for template in inner.into_iter().flatten() {
                    collect(&template.elements, names);
                }
            }
            _ => {}
        }
    }
}

fn of_call(call: &HelperTemplate, names: &mut BTreeSet<String>) {
    // A name with parameters is a helper, one without is a value.
    if call.params.is_empty() && call.hash.is_empty() && !call.block {
        of_parameter(&call.name, names);
    }
    for parameter in call.params.iter().chain(call.hash.values()) {
        of_parameter(parameter, names);
    }
}

fn of_parameter(parameter: &Parameter, names: &mut BTreeSet<String>) {
    match parameter {
        Parameter::Name(name) => {
            names.insert(name.clone());
        }
        Parameter::Path(Path::Relative((parts, _))) => {
            if let Some(PathSeg::Named(name)) = parts.first() {
                names.insert(name.clone());
            }
        }
        Parameter::Subexpression(inner) => {
            collect(std::slice::from_ref(inner.as_element()), names);
        }
        _ => {}
    }
}

/// A number as people read it.
type WriteNumber = fn(f64) -> String;

/// A helper that writes the number it is given in one way; `per=1000` divides it first, for what Flink
/// counts in milliseconds.
#[derive(Clone, Copy)]
struct Shown(WriteNumber);

impl HelperDef for Shown {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let number = helper.param(0).and_then(|p| p.value().as_f64());
        let number = number.ok_or(RenderErrorReason::ParamNotFoundForIndex("a number", 0))?;
        let per = helper.hash_get("per").and_then(|p| p.value().as_f64());
        out.write(&(self.0)(number / per.filter(|per| *per > 0.0).unwrap_or(1.0)))?;
        Ok(())
    }
}

fn duration_en(seconds: f64) -> String {
    humanize(seconds, &[("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)])
}

fn duration_zh(seconds: f64) -> String {
    humanize(seconds, &[("天", 86_400), ("小时", 3_600), ("分钟", 60), ("秒", 1)])
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// With commas: `1,234,567`.
fn in_digits(value: f64) -> String {
    let value = value.round() as i64;
    let digits = value.unsigned_abs().to_string();
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In the largest unit of which there is one: `300 MiB`, `1.5 GiB`.
fn in_bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut rest, mut unit) = (value, UNITS[0]);
    for larger in &UNITS[1..] {
        // What would be rounded to 1,024 is one of the next.
        if rest.abs() < 1023.5 {
            break;
        }
        (rest, unit) = (rest / 1024.0, larger);
    }
    let text = format!("{rest:.1}");
    let short = text.strip_suffix(".0").map(str::to_owned);
    // Beside three digits a fourth says nothing.
    let text = short.unwrap_or_else(|| if rest.abs() < 9.95 { text } else { format!("{rest:.0}") });
    format!("{text} {unit}")
}

/// The two largest units that say it: `30 min`, `1 h 5 min`, `2 d`.
fn humanize(seconds: f64, units: &[(&str, u64)]) -> String {
    let mut rest = seconds.max(0.0).round() as u64;
    let mut parts = Vec::new();
    for (name, size) in units {
        if rest >= *size && parts.len() < 2 {
            parts.push(format!("{} {name}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() {
        return format!("0 {}", units.last().map_or("s", |u| u.0));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_with_evidence_and_leaves_out_what_it_cannot() {
        let mut annotations = Annotations::default();
        annotations
            .add("headline", "keeps failing · {{count}} in {{duration window_seconds}}")
            .unwrap();
        annotations
            .add("headline_zh", "反复失败 · {{duration_zh window_seconds}} {{count}} 次")
            .unwrap();
        annotations.add("summary", "{{nothing_like_that}}").unwrap();
        annotations.add("lag", "{{number lag}}").unwrap();
        assert!(annotations.add("broken", "{{#if}").is_err());
        let values = serde_json::json!({"count": 4, "window_seconds": 1800, "lag": 1_234_567.4});
        let out = annotations.render(values.as_object().unwrap());
        assert_eq!(out["headline"], "keeps failing · 4 in 30 min");
        assert_eq!(out["headline_zh"], "反复失败 · 30 分钟 4 次");
        assert_eq!(out["lag"], "1,234,567");
        assert!(!out.contains_key("summary"));
    }

    #[test]
    fn shares_and_sizes_are_written_as_people_do() {
        for (value, text) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1024.0, "1 KiB"),
            (1_048_575.0, "1 MiB"),
            (314_572_800.0, "300 MiB"),
            (1_610_612_736.0, "1.5 GiB"),
            (-2_147_483_648.0, "-2 GiB"),
        ] {
            assert_eq!(in_bytes(value), text);
        }
        let mut annotations = Annotations::default();
        let text =
            "{{percent share}} {{percent ms per=1000}} {{duration ms per=1000}} {{bytes ms}}";
        annotations.add("x", text).unwrap();
        let values = serde_json::json!({"share": 0.934, "ms": 90_000});
        let out = annotations.render(values.as_object().unwrap());
        assert_eq!(out["x"], "93% 9000% 1 min 30 s 88 KiB");
        let (_, names) = annotations.names().next().unwrap();
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["ms", "share"]);
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        let mut annotations = Annotations::default();
        let text = "{{a}} {{duration b}} {{#if c}}{{d}}{{else}}{{number (lookup e f)}}{{/if}} {{{g}}} {{h.i}}";
        annotations.add("x", text).unwrap();
        let (_, names) = annotations.names().next().unwrap();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    }

    #[test]
    fn templates_are_bounded() {
        let mut annotations = Annotations::default();
        let deep = format!("{}x{}", "{{#if a}}".repeat(200), "{{/if}}".repeat(200));
        assert_eq!(annotations.add("x", &deep).unwrap_err(), "nested deeper than 16");
        let deep = format!("{{{{number {}a{}}}}}", "(number ".repeat(300), ")".repeat(300));
        assert_eq!(annotations.add("x", &deep).unwrap_err(), "nested deeper than 16");
        assert!(annotations.add("x", &"y".repeat(5_000)).is_err());
        assert!(annotations.add("x", &"{{#if a}}{{/if}}".repeat(40)).is_ok());
    }

    #[test]
    fn durations_use_two_neighbouring_units() {
        let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
        for (s, text) in [(0.0, "0 s"), (59.0, "59 s"), (3900.0, "1 h 5 min"), (86_401.0, "1 d")] {
            assert_eq!(humanize(s, &units), text);
        }
    }
}
