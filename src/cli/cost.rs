//! What the rules cost the watched clusters, as a table.

use std::time::Duration;

use crate::model::Demand;
use crate::rules::RuleSet;
use crate::sources::flink::{Cost, cost};

/// Columns: name, requests and bytes per job, the same per Flink cluster, facts.
type Row = [String; 6];

/// Lines to print: what each rule's demand adds to what is looked at anyway, and all together.
/// Rules share what they demand: the total is less than the sum.
pub(super) fn lines(set: &RuleSet, poll: Duration) -> Vec<String> {
    let base = cost(&Demand::default(), poll);
    let titles = ["rule", "requests", "bytes", "requests", "bytes", "facts"];
    let mut rows = vec![
        ["", "per job", "", "per cluster", "", ""].map(str::to_owned),
        titles.map(str::to_owned),
        row("(no rule)", base, "state".to_owned()),
    ];
    for rule in &set.rules {
        let demand = rule.demand();
        let name = format!("{}/{}", rule.id.alert, rule.id.severity.as_str());
        rows.push(row(&name, cost(&demand, poll).beyond(base), demand.words()));
    }
    let all = set.demand();
    rows.push(row("all together", cost(&all, poll), String::new()));
    let mut lines = vec![format!("cost per poll (every {poll:?}):")];
    lines.extend(aligned(&rows));
    if all.failures {
        // Neither of a size nor of a rhythm that could be said before.
        lines.push("exceptions: about 3 KB of a job whenever it failed, else nothing".to_owned());
    }
    lines
}

fn row(name: &str, cost: Cost, facts: String) -> Row {
    [
        name.to_owned(),
        format!("{:.2}", cost.requests_per_job),
        format!("{:.0}", cost.bytes_per_job),
        format!("{:.2}", cost.requests_per_cluster),
        format!("{:.0}", cost.bytes_per_cluster),
        facts,
    ]
}

/// Names and facts to the left, numbers to the right.
fn aligned(rows: &[Row]) -> impl Iterator<Item = String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(move |r| r.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let (name, a, b, c, d) = (width(0), width(1), width(2), width(3), width(4));
    rows.iter().map(move |[rule, job, job_bytes, cluster, cluster_bytes, facts]| {
        let line = format!(
            "  {rule:name$}  {job:>a$}  {job_bytes:>b$}  {cluster:>c$}  {cluster_bytes:>d$}  {facts}"
        );
        line.trim_end().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleSource, SHIPPED, parse};

    const POLL: Duration = Duration::from_secs(10);

    fn shipped() -> RuleSet {
        let sources: Vec<RuleSource<'_>> =
            SHIPPED.iter().map(|(file, text)| RuleSource { file, text }).collect();
        parse(&sources).unwrap()
    }

    #[test]
    fn state_restarts_and_checkpoint_age_stay_within_the_promise() {
        // What the shipped pack asks for without what it looks at beyond these: lag and metrics.
        let pack = shipped().demand();
        assert!(pack.counters && pack.checkpoints && pack.failures);
        let plain = Demand { lag: false, metrics: std::collections::BTreeMap::new(), ..pack };
        let cost = cost(&plain, POLL);
        assert!(cost.bytes_per_job <= 1_200.0, "{cost:?}");
        assert!(cost.requests_per_job <= 1.1, "{cost:?}");
    }

    #[test]
    fn the_table_tells_each_rule_and_the_total() {
        let set = shipped();
        let lines = lines(&set, POLL);
        let total = lines.iter().find(|l| l.trim_start().starts_with("all together")).unwrap();
        let all = cost(&set.demand(), POLL);
        assert!(total.contains(&format!(" {:.0} ", all.bytes_per_job)), "{total}");
        let failed = lines.iter().find(|l| l.contains("JobFailed/")).unwrap();
        assert!(failed.contains("exceptions on change"), "{failed}");
        assert_eq!(lines.len(), set.rules.len() + 6);
        assert!(lines.last().unwrap().starts_with("exceptions: "));
    }

    #[test]
    fn demands_are_told_in_words() {
        assert_eq!(Demand::default().words(), "state");
        let two = Demand { lag: true, job_type: true, ..Demand::default() };
        assert_eq!(two.words(), "lag, job type once per run");
    }
}
