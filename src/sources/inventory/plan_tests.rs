//! What is asked of the column sets there are.

use super::super::kind::Kind;
use super::super::table::Vintage;
use super::*;

/// All that a version has.
fn known(kind: Kind, vintage: Vintage) -> Known {
    let mut known = Known::default();
    for table in kind.tables().iter().filter(|table| vintage.has(table.vintages)) {
        let columns = table.columns.iter().filter(|column| vintage.has(column.vintages));
        let names = columns.map(|column| column.name.to_owned()).collect();
        known.0.insert(table.name.to_owned(), names);
    }
    known
}

fn vintage(version: &str) -> Vintage {
    Kind::Streampark.vintage(version).unwrap()
}

#[test]
fn the_columns_of_each_version_are_asked_for_and_no_others() {
    for (version, with, without) in [
        ("2.1.2", vec!["a.app_id", "a.execution_mode"], vec!["a.deploy_mode"]),
        ("2.1.7", vec!["a.execution_mode"], vec!["a.app_id", "a.deploy_mode"]),
        ("2.2", vec!["a.deploy_mode"], vec!["a.app_id", "a.execution_mode"]),
    ] {
        for dialect in [Dialect::MySql, Dialect::Postgres] {
            let known = known(Kind::Streampark, vintage(version));
            let query = Kind::Streampark.jobs(dialect, &known, &[]).unwrap();
            let has = |field: &str| query.fields.iter().any(|known| known == field);
            assert!(with.iter().all(|field| has(field)), "{version}: {query:?}");
            assert!(!without.iter().any(|field| has(field)), "{version}: {query:?}");
            assert!(query.sql.ends_with("LIMIT 20001"), "{}", query.sql);
        }
    }
}

#[test]
fn start_logs_are_found_under_either_name() {
    for (version, table) in
        [("2.1.2", "t_flink_log"), ("2.1.7", "t_flink_log"), ("2.2", "t_app_log")]
    {
        let known = known(Kind::Streampark, vintage(version));
        let query = Kind::Streampark.starts(Dialect::MySql, &known).unwrap();
        let from = format!("FROM `{table}` l WHERE l.`option_name` = 1 ORDER BY l.`id` DESC");
        assert!(query.sql.contains(&from), "{}", query.sql);
    }
    // Before there was such a column, starts cannot be told from the rest.
    let mut known = known(Kind::Streampark, vintage("2.1.0"));
    known.0.get_mut("t_flink_log").unwrap().remove("option_name");
    assert_eq!(Kind::Streampark.starts(Dialect::MySql, &known), None);
    assert_eq!(Kind::Dinky.starts(Dialect::MySql, &known), None);
}

#[test]
fn recorded_checkpoints_are_read_newest_first_and_bounded() {
    for version in ["2.0.0", "2.1.2", "2.1.7", "2.2"] {
        let known = known(Kind::Streampark, vintage(version));
        let query = Kind::Streampark.recorded(Dialect::MySql, &known).unwrap().unwrap();
        let end = "FROM `t_flink_savepoint` p ORDER BY p.`id` DESC LIMIT 20000";
        assert!(query.sql.ends_with(end), "{}", query.sql);
    }
    // Rights of an older Weir, or a table of a version to come.
    let mut known = known(Kind::Streampark, vintage("2.1.7"));
    known.0.get_mut("t_flink_savepoint").unwrap().remove("trigger_time");
    let ask = |known: &Known| Kind::Streampark.recorded(Dialect::Postgres, known).unwrap_err();
    let missing = |column| Missing { table: "t_flink_savepoint", column };
    assert_eq!(ask(&known), missing(Some("trigger_time")));
    known.0.remove("t_flink_savepoint");
    assert_eq!(ask(&known), missing(None));
    assert!(Kind::Streampark.jobs(Dialect::MySql, &known, &[]).is_ok());
    assert_eq!(Kind::Dinky.recorded(Dialect::MySql, &known), Ok(None));
}

#[test]
fn a_whole_query_as_each_database_wants_it() {
    let mut known = Known::default();
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    known.0.insert("t_flink_app".to_owned(), columns(&["id", "job_name", "state", "team_id"]));
    known.0.insert("t_team".to_owned(), columns(&["id", "team_name"]));
    // May not be read: left out.
    known.0.insert("t_user".to_owned(), columns(&["username"]));
    let teams = ["ads".to_owned(), "7".to_owned()];
    let ask = |dialect| Kind::Streampark.jobs(dialect, &known, &teams).unwrap();
    let mysql = ask(Dialect::MySql);
    assert_eq!(
        mysql.sql,
        "SELECT LEFT(CAST(a.`id` AS CHAR), 500), LEFT(CAST(a.`job_name` AS CHAR), 500), \
         LEFT(CAST(a.`state` AS CHAR), 500), LEFT(CAST(a.`team_id` AS CHAR), 500), \
         LEFT(CAST(t.`id` AS CHAR), 500), LEFT(CAST(t.`team_name` AS CHAR), 500) \
         FROM `t_flink_app` a LEFT JOIN `t_team` t ON t.`id` = a.`team_id` \
         WHERE (CAST(a.`team_id` AS CHAR) IN (?, ?) OR CAST(t.`team_name` AS CHAR) IN (?, ?)) \
         LIMIT 20001"
    );
    assert_eq!(mysql.values, ["ads", "7", "ads", "7"]);
    let postgres = ask(Dialect::Postgres);
    assert!(postgres.sql.contains("(CAST(a.\"team_id\" AS text) IN ($1, $2) OR"), "{postgres:?}");
    assert!(postgres.sql.contains("IN ($3, $4)) LIMIT 20001"), "{postgres:?}");
    assert!(!postgres.sql.contains('`'));
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut known = Known::default();
    let ask = |known: &Known| Kind::Streampark.jobs(Dialect::MySql, known, &[]).unwrap_err();
    assert_eq!(ask(&known), Missing { table: "t_flink_app", column: None });
    known.0.insert("t_flink_app".to_owned(), BTreeSet::from(["id".to_owned()]));
    assert_eq!(ask(&known), Missing { table: "t_flink_app", column: Some("job_name") });
    // A team that cannot be told shows no job at all, rather than all of them.
    let columns = ["id", "job_name", "state"].map(str::to_owned);
    known.0.insert("t_flink_app".to_owned(), BTreeSet::from(columns));
    let of_team = Kind::Streampark.jobs(Dialect::MySql, &known, &["ads".to_owned()]).unwrap();
    assert!(of_team.sql.contains("WHERE (1 = 0)"), "{}", of_team.sql);
}

#[test]
fn columns_are_asked_for_in_the_own_schema_only() {
    let tables: Vec<&Table> = Kind::Dinky.tables().iter().collect();
    let mysql = columns(Dialect::MySql, &tables);
    assert!(mysql.sql.contains("c.TABLE_SCHEMA = DATABASE()"), "{}", mysql.sql);
    assert!(mysql.sql.ends_with("IN (?, ?, ?, ?, ?)"), "{}", mysql.sql);
    assert!(mysql.values.contains(&"dinky_task".to_owned()));
    let postgres = columns(Dialect::Postgres, &tables);
    assert!(postgres.sql.contains("= CAST(current_schema() AS text)"), "{}", postgres.sql);
    assert!(postgres.sql.ends_with("IN ($1, $2, $3, $4, $5)"), "{}", postgres.sql);
    let rows = [
        vec![Some("T_TEAM".to_owned()), Some("ID".to_owned())],
        vec![None, Some("x".to_owned())],
        vec![Some("t_team".to_owned())],
    ];
    let expected = BTreeMap::from([("t_team".to_owned(), BTreeSet::from(["id".to_owned()]))]);
    assert_eq!(Known::of(&rows), Known(expected));
}

/// Tables and columns of a schema as the test bed has it.
fn schema(ddl: &str) -> Known {
    let name = |line: &str| line.split(['`', '"']).nth(1).unwrap_or_default().to_owned();
    let mut known = Known::default();
    let mut table = String::new();
    for line in ddl.lines() {
        if line.starts_with("CREATE TABLE") {
            table = name(line);
        } else if line.starts_with("  ") && !line.contains("PRIMARY KEY") {
            known.0.entry(table.clone()).or_default().insert(name(line));
        }
    }
    known
}

#[test]
fn the_columns_we_read_are_those_of_the_documented_schemas() {
    macro_rules! ddl {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/testbed/inventory/", $name))
        };
    }
    for (kind, version, mysql, postgres) in [
        (
            Kind::Streampark,
            "2.1.2",
            ddl!("streampark-2.1.2.mysql.sql"),
            ddl!("streampark-2.1.2.postgres.sql"),
        ),
        (
            Kind::Streampark,
            "2.1.7",
            ddl!("streampark-2.1.7.mysql.sql"),
            ddl!("streampark-2.1.7.postgres.sql"),
        ),
        (
            Kind::Streampark,
            "2.2",
            ddl!("streampark-2.2.mysql.sql"),
            ddl!("streampark-2.2.postgres.sql"),
        ),
        (Kind::Dinky, "1.2", ddl!("dinky-1.x.mysql.sql"), ddl!("dinky-1.x.postgres.sql")),
    ] {
        let schema = schema(mysql);
        let vintage = kind.vintage(version).unwrap();
        assert_eq!(schema, self::schema(postgres), "{version}");
        for table in kind.tables().iter().chain(kind.import_tables()) {
            let there = schema.0.contains_key(table.name);
            assert_eq!(there, vintage.has(table.vintages), "{version}: {}", table.name);
            for column in table.columns.iter().filter(|_| there) {
                let expected = vintage.has(column.vintages);
                // 2.2 has this column and writes nothing into it.
                let empty =
                    version == "2.2" && (table.name, column.name) == ("t_flink_app", "app_id");
                let found = schema.has(table, column.name) && !empty;
                assert_eq!(found, expected, "{version}: {}.{}", table.name, column.name);
            }
        }
    }
}
