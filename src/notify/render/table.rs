//! The shipped templates, embedded. A test compares this list with the folder.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/", $name)))),*]
    };
}

/// Name below `templates/` and text.
pub(super) const SHIPPED: &[(&str, &str)] =
    shipped!["console/en/body.txt.hbs", "console/zh/body.txt.hbs",];
