//! The rights a database user of Weir's needs, from the same list of columns as the queries.

use super::kind::Kind;
use super::plan::Dialect;
use super::table::{Table, Vintage};

/// The statements that grant what is read; with `import`, also what an import reads, secrets
/// included. The user is `weir`; databases bear the name they have by default.
pub fn grant(kind: Kind, vintage: Vintage, dialect: Dialect, import: bool) -> String {
    let none: &[Table] = &[];
    let beside = if import { kind.import_tables() } else { none };
    let tables = kind.tables().iter().chain(beside);
    let lines: Vec<String> = tables
        .filter(|table| vintage.has(table.vintages))
        .map(|table| statement(kind, vintage, dialect, table))
        .collect();
    lines.join("\n")
}

fn statement(kind: Kind, vintage: Vintage, dialect: Dialect, table: &Table) -> String {
    let columns = table.columns.iter().filter(|column| vintage.has(column.vintages));
    let columns: Vec<String> = columns.map(|column| dialect.quoted(column.name)).collect();
    let columns = columns.join(", ");
    let name = dialect.quoted(table.name);
    match dialect {
        Dialect::MySql => {
            let database = dialect.quoted(kind.word());
            format!("GRANT SELECT ({columns}) ON {database}.{name} TO 'weir'@'%';")
        }
        Dialect::Postgres => format!("GRANT SELECT ({columns}) ON {name} TO weir;"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, dialect: Dialect, import: bool) -> String {
        grant(Kind::Streampark, Kind::Streampark.vintage(version).unwrap(), dialect, import)
    }

    #[test]
    fn only_columns_of_the_version_are_granted() {
        let old = of("2.1.2", Dialect::MySql, false);
        assert!(old.contains("`app_id`") && old.contains("`execution_mode`"), "{old}");
        assert!(old.contains("ON `streampark`.`t_flink_log`") && !old.contains("t_app_log"));
        let new = of("2.2", Dialect::Postgres, false);
        assert!(new.contains("\"deploy_mode\"") && !new.contains("execution_mode"), "{new}");
        assert!(new.contains("ON \"t_app_log\" TO weir;") && !new.contains("t_flink_log"));
        // A column that is not there makes the database refuse the whole statement.
        assert!(!new.contains("\"k8s_name\""), "{new}");
        let first = of("2.0.0", Dialect::MySql, false);
        assert!(first.contains("`app_id`") && !first.contains("_log"), "{first}");
        let dinky = |version| {
            grant(Kind::Dinky, Kind::Dinky.vintage(version).unwrap(), Dialect::MySql, false)
        };
        assert!(!dinky("1.0.3").contains("first_level_owner"));
        assert!(dinky("1.2.4").contains("first_level_owner"));
    }

    #[test]
    fn secrets_are_for_the_import_alone() {
        for kind in [Kind::Streampark, Kind::Dinky] {
            let vintage = kind.vintage("2.2").unwrap();
            let watch = grant(kind, vintage, Dialect::MySql, false);
            assert!(!watch.contains("params") && !watch.contains("setting"), "{watch}");
            let import = grant(kind, vintage, Dialect::MySql, true);
            assert!(import.starts_with(&watch) && import.contains("params"), "{import}");
            assert!(!import.contains("password") && !import.contains('*'), "{import}");
        }
    }

    /// The README tells whoever runs the database what to type: the same as the program prints.
    #[test]
    fn the_documentation_says_the_same() {
        let said = of("2.1.7", Dialect::MySql, false);
        for readme in [include_str!("../../../README.md"), include_str!("../../../README.zh-CN.md")]
        {
            assert!(readme.contains(&format!("\n{said}\n")), "the README lacks:\n{said}");
        }
    }
}
