//! Reads and checks everything a configuration consists of.

use std::path::Path;
use std::sync::Arc;

use super::rulebook::{Rulebook, read_rules};
use crate::config::{self, Config};
use crate::model::Problem;
use crate::notify::render::Templates;
use crate::rules::RuleSet;

/// A configuration with all that belongs to it.
pub struct Checked {
    /// The file.
    pub config: Config,
    /// The rules it names.
    pub rules: Rulebook,
    /// The templates it names.
    pub templates: Arc<Templates>,
    /// What is worth a word.
    pub warnings: Vec<Problem>,
}

/// Reads the configuration file and everything it names.
///
/// # Errors
/// All that is wrong. What a file that cannot be read would have named is not looked at.
pub fn read(path: &Path) -> Result<Checked, Vec<Problem>> {
    let (config, mut warnings) = config::load(path, &config::process_env)?;
    let rules = read_rules(&config);
    let templates = Templates::load(config.templates.as_deref());
    match (rules, templates) {
        (Ok(rules), Ok(templates)) => {
            warnings.extend(rules.set.warnings.iter().cloned());
            warnings.extend(unheard(path, &config, &rules.set));
            Ok(Checked { config, rules, templates: Arc::new(templates), warnings })
        }
        (rules, templates) => {
            let mut problems = rules.err().unwrap_or_default();
            problems.extend(templates.err().unwrap_or_default());
            Err(problems)
        }
    }
}

/// Alerts that restarts wait for and no rule ever raises.
fn unheard(path: &Path, config: &Config, rules: &RuleSet) -> Vec<Problem> {
    let raised = |alert: &String| rules.rules.iter().any(|rule| rule.id.alert == *alert);
    let of_entry = config.restarts.policies.iter().flat_map(|policy| {
        policy.alerts.iter().filter(|alert| !raised(alert)).map(|alert| (&policy.name, alert))
    });
    let problem = |(entry, alert): (&String, &String)| Problem {
        file: path.display().to_string(),
        line: 0,
        column: 0,
        what: format!("`{entry}` under `restarts` waits for `{alert}`, which no rule is called"),
        hint: Some("`weir check` lists the rules; names are as they are written there".to_owned()),
        warning: true,
    };
    of_entry.map(problem).collect()
}
