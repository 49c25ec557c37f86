//! A job in SQL: statements split as Flink's SQL client splits them, and which one starts the job.
//! Pure.
//!
//! A statement ends with `;` outside of quotes (`'…'`, `"…"`, `` `…` ``) and comments (`-- …`,
//! `/* … */`, hints among them); the last one may do without. `EXECUTE STATEMENT SET BEGIN … END` is one
//! statement. The last statement starts the job, all before it prepare.

use secrecy::{ExposeSecret, SecretString};

/// Statements that prepare and start nothing.
const PREPARE: [&str; 10] =
    ["CREATE", "DROP", "ALTER", "USE", "SET", "RESET", "LOAD", "UNLOAD", "ADD", "REMOVE"];
/// Settings that are chosen at each restart.
pub(super) const CHOSEN: [&str; 4] = [
    "execution.savepoint.path",
    "execution.state-recovery.path",
    "pipeline.name",
    "$internal.pipeline.job-id",
];
/// Options whose values are not shown, by a part of their names.
const SECRET: [&str; 7] =
    ["password", "secret", "token", "credential", "access-key", "api-key", "jaas"];

/// What is sent to the gateway.
#[derive(Debug)]
pub(super) struct Script {
    /// One after the other.
    pub(super) before: Vec<SecretString>,
    /// The one that starts the job.
    pub(super) job: SecretString,
}

impl Script {
    /// Reads statements; what is wrong comes with the way out, and without what may be secret.
    pub(super) fn read<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Script, String> {
        let mut all = Vec::new();
        for text in texts {
            all.extend(split(text)?);
        }
        let Some(job) = all.pop() else {
            return Err("there is no statement (end with the INSERT that is the job)".to_owned());
        };
        for (number, statement) in all.iter().enumerate() {
            check_before(statement).map_err(|why| format!("statement {}: {why}", number + 1))?;
        }
        if !starts_a_job(&job) {
            return Err(format!(
                "the last statement begins with {} and starts no job (end with INSERT, or EXECUTE \
                 STATEMENT SET BEGIN … END)",
                job.head(2)
            ));
        }
        let before = all.into_iter().map(|statement| statement.text.into()).collect();
        Ok(Script { before, job: job.text.into() })
    }

    /// `text` without the values of options that are secrets.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for statement in self.before.iter().chain([&self.job]) {
            for (name, value) in options(statement.expose_secret()) {
                let name = name.to_ascii_lowercase();
                if value.len() >= 3 && SECRET.iter().any(|part| name.contains(part)) {
                    text = text.replace(value, "…");
                }
            }
        }
        text
    }
}

/// One statement, without its semicolon.
#[derive(Debug, PartialEq)]
struct Statement {
    text: String,
    /// Its words in capitals, those in quotes and comments left out.
    words: Vec<String>,
}

impl Statement {
    fn head(&self, count: usize) -> String {
        self.words.iter().take(count).cloned().collect::<Vec<_>>().join(" ")
    }

    fn begins(&self, words: &[&str]) -> bool {
        self.words.len() >= words.len() && self.words.iter().zip(words).all(|(a, b)| a == b)
    }
}

fn starts_a_job(statement: &Statement) -> bool {
    statement.begins(&["INSERT"])
        || (statement.begins(&["EXECUTE", "STATEMENT", "SET", "BEGIN"])
            && statement.words.last().is_some_and(|last| last == "END"))
        || statement.begins(&["EXECUTE", "INSERT"])
        || statement.begins(&["EXECUTE", "PLAN"])
        || statement.begins(&["COMPILE", "AND", "EXECUTE", "PLAN"])
}

fn check_before(statement: &Statement) -> Result<(), String> {
    if starts_a_job(statement) {
        return Err("starts a job, and only the last one may (put several INSERTs into EXECUTE \
                    STATEMENT SET BEGIN … END)"
            .to_owned());
    }
    if statement.begins(&["BEGIN", "STATEMENT", "SET"]) {
        return Err(
            "BEGIN STATEMENT SET; … END; is of the SQL client (write EXECUTE STATEMENT SET \
                    BEGIN … END;)"
                .to_owned(),
        );
    }
    if !statement.words.first().is_some_and(|first| PREPARE.contains(&first.as_str())) {
        return Err(format!(
            "{} neither prepares the job nor is it (leave it out)",
            statement.head(2)
        ));
    }
    let is_query =
        |pair: &[String]| pair[0] == "AS" && matches!(pair[1].as_str(), "SELECT" | "WITH");
    let is_view = statement.words.iter().take(5).any(|word| word == "VIEW");
    if statement.begins(&["CREATE"]) && !is_view && statement.words.windows(2).any(is_query) {
        return Err(
            "CREATE TABLE … AS SELECT would create its table at each restart (write CREATE \
                    TABLE, and INSERT as the last statement)"
                .to_owned(),
        );
    }
    if statement.begins(&["SET"])
        && let Some(key) = options(&statement.text).find_map(|(name, _)| chosen(name))
    {
        return Err(format!("`{key}` is set at each restart (leave it out)"));
    }
    Ok(())
}

/// The setting of this name, if it is one that is chosen at each restart.
pub(super) fn chosen(name: &str) -> Option<&'static str> {
    CHOSEN.into_iter().find(|key| *key == name.trim())
}

/// All `'name' = 'value'` of a statement.
fn options(statement: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts: Vec<&str> = statement.split('\'').collect();
    let pairs: Vec<(&str, &str)> = parts
        .windows(3)
        .filter(|window| window[1].trim() == "=")
        .map(|window| (window[0], window[2]))
        .collect();
    pairs.into_iter()
}

/// What a text is made of, as far as it matters where statements end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'a> {
    Word(&'a str),
    Semicolon(usize),
    /// A quoted text, an operator, a bracket.
    Other,
}

fn split(text: &str) -> Result<Vec<Statement>, String> {
    let mut all = Vec::new();
    let (mut begun, mut words) = (0, Vec::<String>::new());
    // Within a statement set: whether it has ended, and whether an END now would end it.
    let (mut ended, mut at_border) = (false, false);
    let mut empty = true;
    for piece in pieces(text)? {
        let of_set = words.len() >= 4 && words[..4] == ["EXECUTE", "STATEMENT", "SET", "BEGIN"];
        match piece {
            Piece::Semicolon(at) if !of_set || ended => {
                push(&mut all, text.get(begun..at), &mut words, empty);
                (begun, empty, ended, at_border) = (at + 1, true, false, false);
            }
            Piece::Semicolon(_) => at_border = true,
            Piece::Word(word) => {
                let word = word.to_uppercase();
                ended = of_set && at_border && word == "END";
                at_border = false;
                empty = false;
                words.push(word);
            }
            Piece::Other => (ended, at_border, empty) = (false, false, false),
        }
    }
    push(&mut all, text.get(begun..), &mut words, empty);
    Ok(all)
}

fn push(all: &mut Vec<Statement>, text: Option<&str>, words: &mut Vec<String>, empty: bool) {
    let words = std::mem::take(words);
    if !empty && let Some(text) = text {
        all.push(Statement { text: text.trim().to_owned(), words });
    }
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let open = |what: &str| format!("{what} is opened and never closed (check the quotes)");
        at += if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").ok_or_else(|| open("a comment /*"))? + 2
        } else if matches!(first, '\'' | '"' | '`') {
            found.push(Piece::Other);
            // A doubled quote is one within: the text before it ends, and another one begins.
            let inner = rest.get(1..).unwrap_or_default();
            inner.find(first).ok_or_else(|| open(&format!("a quote {first}")))? + 2
        } else if first.is_alphanumeric() || first == '_' {
            let other = |c: char| !c.is_alphanumeric() && c != '_';
            let end = rest.find(other).unwrap_or(rest.len());
            found.push(Piece::Word(rest.get(..end).unwrap_or_default()));
            end
        } else {
            if first == ';' {
                found.push(Piece::Semicolon(at));
            } else if !first.is_whitespace() {
                found.push(Piece::Other);
            }
            first.len_utf8()
        };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        split(text).unwrap().into_iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn statements_end_where_flinks_client_ends_them() {
        let set = "EXECUTE STATEMENT SET\nBEGIN\nINSERT INTO a SELECT CASE WHEN x THEN 1 END FROM s;\n\
                   INSERT INTO b SELECT 2 AS `END` FROM s;\nEND";
        let case = "EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT CASE WHEN x THEN 1 END; INSERT \
                    INTO b SELECT 2; END";
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            (" ;; \n; ", &[]),
            ("-- only a comment; really\n", &[]),
            ("/* a; b */ ;", &[]),
            ("USE a; INSERT INTO t SELECT 1", &["USE a", "INSERT INTO t SELECT 1"]),
            ("SET 'a' = 'b;c';", &["SET 'a' = 'b;c'"]),
            ("SELECT 'it''s; fine'; X", &["SELECT 'it''s; fine'", "X"]),
            ("SELECT `a;b`, \"c;d\"; X", &["SELECT `a;b`, \"c;d\"", "X"]),
            ("SELECT 1 -- no; end\n; X", &["SELECT 1 -- no; end", "X"]),
            ("SELECT 1 - -1; X", &["SELECT 1 - -1", "X"]),
            ("SELECT '--' ; X", &["SELECT '--'", "X"]),
            (
                "INSERT INTO t /*+ OPTIONS('a'=';') */ SELECT 1; X",
                &["INSERT INTO t /*+ OPTIONS('a'=';') */ SELECT 1", "X"],
            ),
            ("-- why\nUSE a; X", &["-- why\nUSE a", "X"]),
            ("SELECT '订单;'; X", &["SELECT '订单;'", "X"]),
            (
                "execute statement set begin insert into t select 1; end; X",
                &["execute statement set begin insert into t select 1; end", "X"],
            ),
            (set, &[set]),
            (case, &[case]),
        ];
        for (text, expected) in table {
            assert_eq!(texts(text), *expected, "{text}");
        }
        for text in ["SELECT 'a", "SELECT 1 /* b", "SELECT `c; X"] {
            assert!(split(text).unwrap_err().contains("never closed"), "{text}");
        }
    }

    #[test]
    fn one_statement_starts_the_job_and_it_is_the_last() {
        let table = [
            ("CREATE TABLE t (a INT); INSERT INTO t SELECT 1", ""),
            ("CREATE VIEW v AS SELECT 1; INSERT INTO t SELECT * FROM v;", ""),
            (
                "CREATE TEMPORARY VIEW v AS WITH x AS (SELECT 1) SELECT * FROM x; INSERT INTO t SELECT 1",
                "",
            ),
            (
                "ADD JAR 'a.jar'; SET 'table.exec.state.ttl'='1d'; EXECUTE INSERT INTO t SELECT 1",
                "",
            ),
            ("EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1; END", ""),
            ("COMPILE AND EXECUTE PLAN 'p.json' FOR INSERT INTO t SELECT 1", ""),
            ("", "no statement"),
            ("CREATE TABLE t (a INT)", "starts no job"),
            ("SELECT * FROM t", "begins with SELECT FROM"),
            ("EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT 1;", "starts no job"),
            ("INSERT INTO a SELECT 1; INSERT INTO b SELECT 2", "statement 1: starts a job"),
            ("SELECT 1; INSERT INTO b SELECT 2", "statement 1: SELECT 1 neither"),
            ("BEGIN STATEMENT SET; INSERT INTO a SELECT 1; END;", "of the SQL client"),
            ("CREATE TABLE a AS SELECT 1; INSERT INTO t SELECT 1", "AS SELECT would create"),
            (
                "USE x; SET 'execution.savepoint.path' = 's3://b/old'; INSERT INTO t SELECT 1",
                "statement 2: `execution.savepoint.path` is set at each restart",
            ),
            ("SET 'pipeline.name'='x'; INSERT INTO t SELECT 1", "`pipeline.name`"),
            ("SET 'a' = 'b", "never closed"),
        ];
        for (text, expected) in table {
            let error = Script::read([text].into_iter()).err().unwrap_or_default();
            let fits =
                if expected.is_empty() { error.is_empty() } else { error.contains(expected) };
            assert!(fits, "{text}: {error}");
        }
    }

    #[test]
    fn secrets_of_statements_are_not_repeated() {
        let text = "CREATE TABLE t (a INT) WITH ('username' = 'weir', 'password'= 'hunter2');
                    INSERT INTO t /*+ OPTIONS('properties.sasl.jaas.config'='login x;') */ SELECT 1";
        let script = Script::read([text].into_iter()).unwrap();
        assert_eq!(
            script.scrub("user weir with hunter2 by login x; failed"),
            "user weir with … by … failed"
        );
        assert!(!format!("{script:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_statements(text in "[a-zEND;'`\" \n*/-]{0,80}") {
            if let Ok(statements) = split(&text) {
                let mut rest = text.as_str();
                for statement in &statements {
                    let (_, after) = rest.split_once(&statement.text).unwrap();
                    rest = after;
                    prop_assert!(!statement.text.is_empty());
                }
            }
        }
    }
}
