//! Whether a rule is about a subject at all: by its kind, and by its matchers.

use super::Rule;
use super::kinds::Scope;
use crate::model::{Labels, Matcher};

/// Whether the kind is about subjects of this scope.
pub(super) fn fits(rule: &Rule, scope: Scope) -> bool {
    let about = rule.when.scope();
    about == scope
        || (about == Scope::JobsAndClusters && matches!(scope, Scope::Jobs | Scope::Clusters))
}

/// The first matcher that keeps the rule from a subject with these labels.
pub(super) fn excluded_by<'a>(rule: &'a Rule, labels: &Labels) -> Option<&'a Matcher> {
    rule.matchers.iter().find(|matcher| !matcher.matches(labels))
}
