//! Alertmanager's webhook body, version 4, field by field.

use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// Says what is wrong with a body, with the path of the field. Fields of our own may be added.
pub(super) fn check(body: &Value) -> Result<(), String> {
    let body = body.as_object().ok_or("body is not an object")?;
    if text(body, "version")? != "4" {
        return Err("version is not \"4\"".to_owned());
    }
    for field in ["groupKey", "receiver"] {
        if text(body, field)?.is_empty() {
            return Err(format!("{field} is empty"));
        }
    }
    text(body, "externalURL")?;
    if let Some(truncated) = body.get("truncatedAlerts")
        && !truncated.is_u64()
    {
        return Err("truncatedAlerts is not a count".to_owned());
    }
    let group = strings(body, "groupLabels")?;
    let common = strings(body, "commonLabels")?;
    let annotations = strings(body, "commonAnnotations")?;
    let alerts = body.get("alerts").and_then(Value::as_array).ok_or("alerts is not an array")?;
    if alerts.is_empty() {
        return Err("alerts is empty".to_owned());
    }
    let mut firing = false;
    for (i, alert) in alerts.iter().enumerate() {
        let at = |e: String| format!("alerts[{i}]: {e}");
        let alert = alert.as_object().ok_or_else(|| at("not an object".to_owned()))?;
        firing |= check_alert(alert).map_err(at)? == "firing";
        for (whole, part) in [(common, "labels"), (group, "labels"), (annotations, "annotations")] {
            let part = strings(alert, part).map_err(at)?;
            if whole.iter().any(|(k, v)| part.get(k) != Some(v)) {
                return Err(at("lacks a common or group label or annotation".to_owned()));
            }
        }
    }
    if status(body)? != if firing { "firing" } else { "resolved" } {
        return Err("status does not follow from the alerts".to_owned());
    }
    Ok(())
}

fn check_alert(alert: &Object) -> Result<&str, String> {
    let status = status(alert)?;
    if !strings(alert, "labels")?.contains_key("alertname") {
        return Err("labels lacks alertname".to_owned());
    }
    strings(alert, "annotations")?;
    text(alert, "generatorURL")?;
    let fingerprint = text(alert, "fingerprint")?;
    if fingerprint.len() != 16 || !fingerprint.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("fingerprint is not 16 hex digits".to_owned());
    }
    let starts = time(alert, "startsAt")?;
    let ends = time(alert, "endsAt")?;
    if status == "resolved" && ends.is_none_or(|ends| starts.is_some_and(|starts| ends < starts)) {
        return Err("resolved, but endsAt is not after startsAt".to_owned());
    }
    if starts.is_none() {
        return Err("startsAt is the zero time".to_owned());
    }
    Ok(status)
}

fn status(object: &Object) -> Result<&str, String> {
    match text(object, "status")? {
        status @ ("firing" | "resolved") => Ok(status),
        other => Err(format!("status {other:?} is neither firing nor resolved")),
    }
}

fn text<'a>(object: &'a Object, field: &str) -> Result<&'a str, String> {
    object.get(field).and_then(Value::as_str).ok_or_else(|| format!("{field} is not a string"))
}

fn strings<'a>(object: &'a Object, field: &str) -> Result<&'a Object, String> {
    object
        .get(field)
        .and_then(Value::as_object)
        .filter(|map| map.values().all(Value::is_string))
        .ok_or_else(|| format!("{field} is not a map of strings"))
}

/// RFC 3339; Go's zero time is `None`.
fn time(object: &Object, field: &str) -> Result<Option<jiff::Timestamp>, String> {
    let value = text(object, field)?;
    let time: jiff::Timestamp =
        value.parse().map_err(|_| format!("{field} {value:?} is not RFC 3339"))?;
    Ok((value != "0001-01-01T00:00:00Z").then_some(time))
}
