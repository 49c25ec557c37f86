//! Tests of rules: a story of what sources showed over time, and the alerts, incidents and
//! messages that must follow.
//!
//! A story is played through [`crate::engine::Engine::step`] with the texts of the console
//! channel, in virtual time: what is tested is what runs in production. The simulated sources know
//! everything at once; what no rule in force asks for, they do not show.

mod build;
mod build_job;
mod checkpoints;
mod job;
mod judge;
mod metrics;
mod play;
mod raw;
mod raw_expect;
mod report;
mod series;
mod timeline;
mod times;
mod world;

use std::sync::Arc;

pub use play::{Event, What};
pub use raw::RawTests;
pub use report::{Mismatch, Report, TestReport};
pub use times::Moment;

use crate::model::{ChannelId, Problem};
use crate::notify::channels::{Channel, ChannelConfig, Parts, People};
use crate::notify::render::Templates;
use crate::notify::{Compose, Composed, Composers, MessageView};
use crate::rules::{RuleSet, RuleSource};
use crate::yaml::findings::Findings;

/// A larger file is no test file.
const MAX_BYTES: usize = 4 << 20;

/// A test file, read but not yet built.
#[derive(Debug)]
pub struct TestFile {
    raw: RawTests,
    name: String,
}

impl TestFile {
    /// Reads the text of a test file; `name` is what problems name.
    ///
    /// # Errors
    /// Everything that is wrong with its form.
    pub fn read(name: &str, text: &str) -> Result<TestFile, Vec<Problem>> {
        let mut findings = Findings::new(name);
        if text.len() > MAX_BYTES {
            let hint = "split it".to_owned();
            findings.error(crate::yaml::Place::default(), "the file is larger than 4 MiB", hint);
            return findings.finish(None).map(|(file, _)| file);
        }
        let tree = crate::yaml::tree(text, &mut findings);
        if let Some(tree) = tree.as_ref().filter(|t| t.get("tests").is_none())
            && let Some(groups) = tree.get("groups")
        {
            let hint = "check it with `weir rules check`; tests of it go into a file of their own, \
                        which names it under `rule_files`";
            findings.error(groups.place, "this is a rule file, not a test file", hint.to_owned());
            return findings.finish(None).map(|(file, _)| file);
        }
        let raw: Option<RawTests> =
            tree.and_then(|tree| crate::yaml::reader::read(&tree, &mut findings));
        let file = raw.map(|raw| TestFile { raw, name: name.to_owned() });
        findings.finish(file).map(|(file, _)| file)
    }

    /// The rule files it names, as written: paths relative to it, or `shipped`.
    pub fn rule_files(&self) -> Vec<String> {
        self.raw.rule_files.iter().map(|file| file.value.clone()).collect()
    }

    /// Runs the tests whose name contains `filter` (all: the empty text) against rules.
    ///
    /// # Errors
    /// Everything that is wrong with the stories and what is expected of them.
    pub fn run(&self, rules: &RuleSet, filter: &str) -> Result<Report, Vec<Problem>> {
        let mut findings = Findings::new(&self.name);
        let stories = build::build(self.raw.clone(), rules, &mut findings);
        let (stories, _) = findings.finish(Some(stories))?;
        let mut report = Report { file: self.name.clone(), tests: Vec::new() };
        for story in stories.iter().filter(|story| story.name.contains(filter)) {
            let played = play::play(story, composers(story));
            report.tests.push(TestReport {
                name: story.name.clone(),
                line: story.place.line,
                mismatches: judge::judge(story, &played),
                events: played.events,
            });
        }
        Ok(report)
    }
}

/// Runs the text of a test file against the text of rules: for tests of tests.
///
/// # Errors
/// Everything that is wrong with either.
pub fn run(rules: &[RuleSource<'_>], name: &str, tests: &str) -> Result<Report, Vec<Problem>> {
    TestFile::read(name, tests)?.run(&crate::rules::parse(rules)?, "")
}

/// The JSON schema of test files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RawTests).to_value()
}

/// Every receiver is told by a console with the shipped templates.
fn composers(story: &build::Story) -> Composers {
    let sink = Arc::new(|_: &str| {});
    let templates = Arc::new(Templates::shipped());
    let parts = Parts { templates, sink, people: People::default() };
    let mut composers = Composers::new();
    for name in story.settings.notify.receivers.keys() {
        let id = ChannelId { receiver: name.clone(), channel: build::CHANNEL.to_owned() };
        let built = ChannelConfig::terminal().build(&parts);
        if let Ok(channel) = built {
            composers.insert(id, Arc::new(Console(channel)));
        }
    }
    composers
}

/// A channel as the writer of its messages.
struct Console(Box<dyn Channel>);

impl Compose for Console {
    fn compose(&self, view: &MessageView) -> Composed {
        self.0.composer().compose(view)
    }
}
