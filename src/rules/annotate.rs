//! Annotations: short templates of a rule, rendered with the subject's labels and the evidence.

use std::collections::BTreeMap;
use std::sync::Arc;

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason,
};
use serde_json::{Map, Value};

/// Rendered text longer than this is cut.
const MAX_CHARS: usize = 600;

/// The compiled templates of one rule.
#[derive(Debug, Clone)]
pub struct Annotations {
    registry: Arc<Handlebars<'static>>,
    keys: Vec<String>,
    /// As written, in the order of the keys.
    texts: Vec<String>,
}

impl PartialEq for Annotations {
    fn eq(&self, other: &Annotations) -> bool {
        (&self.keys, &self.texts) == (&other.keys, &other.texts)
    }
}

impl Default for Annotations {
    fn default() -> Self {
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        // Escaped later, for where the text lands: nobody knows that here.
        registry.register_escape_fn(handlebars::no_escape);
        registry.register_helper("duration", Box::new(duration_en));
        registry.register_helper("duration_zh", Box::new(duration_zh));
        registry.register_helper("number", Box::new(number));
        Annotations { registry: Arc::new(registry), keys: Vec::new(), texts: Vec::new() }
    }
}

impl Annotations {
    /// Adds one.
    ///
    /// # Errors
    /// When the template does not compile.
    pub fn add(&mut self, key: &str, template: &str) -> Result<(), String> {
        let registry = Arc::make_mut(&mut self.registry);
        registry
            .register_template_string(key, template)
            .map_err(|e| e.reason().to_string().to_lowercase())?;
        self.keys.push(key.to_owned());
        self.texts.push(template.to_owned());
        Ok(())
    }

    /// Renders all. One that names a value this subject does not have is left out: channels fall
    /// back to the alert's name.
    pub fn render(&self, values: &Map<String, Value>) -> BTreeMap<String, String> {
        let rendered = |key: &String| {
            let text = self.registry.render(key, values).ok()?;
            Some((key.clone(), text.chars().take(MAX_CHARS).collect()))
        };
        self.keys.iter().filter_map(rendered).collect()
    }
}

fn param(helper: &Helper<'_>) -> Result<f64, RenderErrorReason> {
    helper
        .param(0)
        .and_then(|p| p.value().as_f64())
        .ok_or(RenderErrorReason::ParamNotFoundForIndex("duration", 0))
}

fn duration_en(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    out.write(&humanize(param(helper)?, &[("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]))?;
    Ok(())
}

fn duration_zh(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let units = [("天", 86_400), ("小时", 3_600), ("分钟", 60), ("秒", 1)];
    out.write(&humanize(param(helper)?, &units))?;
    Ok(())
}

fn number(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value = param(helper)?.round() as i64;
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    out.write(if value < 0 { "-" } else { "" })?;
    out.write(&text)?;
    Ok(())
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
    fn durations_use_two_neighbouring_units() {
        let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
        for (s, text) in [(0.0, "0 s"), (59.0, "59 s"), (3900.0, "1 h 5 min"), (86_401.0, "1 d")] {
            assert_eq!(humanize(s, &units), text);
        }
    }
}
