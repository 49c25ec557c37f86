//! The JSON schema of rule files, for editors that complete, and what it tells of parameters.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::kinds::Condition;
use super::raw::RawFile;

/// Parameters of every kind: their names, and whether they are lists.
pub(super) fn parameters() -> &'static BTreeMap<String, BTreeMap<String, bool>> {
    static TABLE: LazyLock<BTreeMap<String, BTreeMap<String, bool>>> = LazyLock::new(|| {
        let schema = schemars::schema_for!(Condition).to_value();
        let mut table = BTreeMap::new();
        for (kind, _, of_kind) in kinds(&schema, &schema) {
            let properties = of_kind.get("properties").and_then(Value::as_object);
            let params = properties.into_iter().flatten();
            let params = params.map(|(name, p)| (name.clone(), p["type"] == "array")).collect();
            table.insert(kind, params);
        }
        table
    });
    &TABLE
}

/// (name, the variant's own schema, what it refers to) of every kind.
fn kinds<'s>(condition: &'s Value, root: &'s Value) -> Vec<(String, &'s Value, &'s Value)> {
    let variants = condition.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    variants
        .filter_map(|variant| {
            let (name, body) = variant.get("properties")?.as_object()?.iter().next()?;
            Some((name.clone(), variant, resolve(body, root)))
        })
        .collect()
}

fn resolve<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|p| root.pointer(p)).unwrap_or(schema)
}

/// The JSON schema of rule files.
pub fn schema() -> Value {
    let mut root = schemars::schema_for!(RawFile).to_value();
    polish(&mut root);
    root
}

/// Makes conditions and parameters of overrides complete in editors: each kind is described by
/// what it does, and an override knows the parameters of every kind. For any schema that holds
/// them.
pub fn polish(root: &mut Value) {
    let whole = root.clone();
    let Some(condition) = whole.pointer("/$defs/Condition") else { return };
    let mut variants = Vec::new();
    let mut words = Vec::new();
    let mut of_overrides = Map::new();
    for (name, variant, body) in kinds(condition, &whole) {
        let mut variant = variant.clone();
        if let (Some(text), Some(variant)) = (body.get("description"), variant.as_object_mut()) {
            variant.insert("description".to_owned(), text.clone());
            if let Some(own) = variant.get_mut("properties").and_then(|p| p.get_mut(&name))
                && let Some(own) = own.as_object_mut()
            {
                own.insert("description".to_owned(), text.clone());
            }
        }
        variants.push(variant);
        if body.get("type") != Some(&json!("object")) {
            continue;
        }
        if body.get("required").is_none() {
            words.push(name.clone());
        }
        let mut loose = body.clone();
        if let Some(loose) = loose.as_object_mut() {
            loose.remove("required");
        }
        of_overrides.insert(name, loose);
    }
    // A kind without parameters may stand there as a bare word.
    variants.push(json!({ "type": "string", "enum": words }));
    if let Some(condition) = root.pointer_mut("/$defs/Condition/oneOf") {
        *condition = Value::Array(variants);
    }
    if let Some(parameters) = root.pointer_mut("/$defs/Parameters").and_then(Value::as_object_mut) {
        parameters.insert("properties".to_owned(), Value::Object(of_overrides));
        parameters.insert("additionalProperties".to_owned(), json!(false));
    }
}
