//! The shipped templates, embedded. A test compares this list with the folder.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/", $name)))),*]
    };
}

/// Name below `templates/` and text.
pub(super) const SHIPPED: &[(&str, &str)] = shipped![
    "console/en/body.txt.hbs",
    "console/zh/body.txt.hbs",
    "dingtalk/en/body.mark.hbs",
    "dingtalk/zh/body.mark.hbs",
    "email/en/body.html.hbs",
    "email/en/body.txt.hbs",
    "email/zh/body.html.hbs",
    "email/zh/body.txt.hbs",
    "feishu_bot/en/body.md.hbs",
    "feishu_bot/zh/body.md.hbs",
    "wecom/en/body.mark.hbs",
    "wecom/zh/body.mark.hbs",
];
