//! `weir import streampark`: a first configuration from how people are told today.

mod draft;
mod files;

use std::path::PathBuf;
use std::time::Duration;

use super::{ConfigFile, Failure, check, output};
use crate::sources::SourceConfig;
use crate::sources::inventory::{Dialect, InventoryConfig, Kind, grant, read_for_import};

/// Time limit of one query: nobody waits for an import twice.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Drafts receivers, routes and labels from an inventory's alert configurations.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir import streampark --database-url-file streampark.url > draft.yaml
  weir import dinky --source dinky --secrets-dir /etc/weir/secrets
  weir import streampark --print-grant=2.2 --dialect postgres

The draft goes to stdout, for you to read and to take into weir.yaml; what is secret goes into files
that only you can read. The address in the file looks like mysql://user:password@host:3306/streampark.
The jobs nobody hears of today are listed at its end.")]
pub(super) struct Args {
    /// Which inventory.
    #[arg(value_enum)]
    from: Which,
    /// File with the address of its database; without it, the source of the configuration is asked.
    #[arg(long, value_name = "FILE")]
    database_url_file: Option<PathBuf>,
    /// Name of the source in the configuration, where it has several of this kind.
    #[arg(long, value_name = "NAME", conflicts_with = "database_url_file")]
    source: Option<String>,
    /// Only jobs of this team or tenant, by name or number; may be given more than once.
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// Folder for the files with secrets, as the configuration is to name it.
    #[arg(long, value_name = "DIR", default_value = "secrets")]
    secrets_dir: PathBuf,
    /// Print what the user of the database must be granted for this version (without one:
    /// StreamPark 2.1.7, Dinky 1.2), and do nothing else.
    #[arg(long, value_name = "VERSION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    print_grant: Option<String>,
    /// Database the grants are for.
    #[arg(long, value_enum, value_name = "DATABASE", default_value = "mysql")]
    dialect: Database,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Apache StreamPark 2.0 to 2.2.
    Streampark,
    /// Dinky 1.x.
    Dinky,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Database {
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let kind = match args.from {
        Which::Streampark => Kind::Streampark,
        Which::Dinky => Kind::Dinky,
    };
    if let Some(version) = &args.print_grant {
        let version = if version.is_empty() { kind.usual_version() } else { version };
        return print_grant(kind, version, args.dialect);
    }
    let config = config(kind, &args)?;
    let import = read_for_import(kind, &config, TIMEOUT).await.map_err(anyhow::Error::msg)?;
    let folder = args.secrets_dir.display().to_string();
    let drafted = draft::draft(kind, &import, &folder);
    files::write(&args.secrets_dir, &drafted.files)?;
    output::say(&drafted.yaml);
    output::complain(&format!(
        "{}: {} jobs, {} alert configurations, {} secrets in {folder}; nobody hears of {} jobs",
        kind.name(),
        import.entries.len(),
        import.ways.len(),
        drafted.files.len(),
        drafted.unheard.len(),
    ));
    Ok(())
}

fn print_grant(kind: Kind, version: &str, dialect: Database) -> Result<(), Failure> {
    let Some(vintage) = kind.vintage(version) else {
        let known: Vec<&str> = kind.vintages().iter().map(|vintage| vintage.name).collect();
        let (name, known) = (kind.name(), known.join(", "));
        output::complain(&format!(
            "error: no version `{version}` of {name} (the columns changed in {known})"
        ));
        return Err(Failure::Refused);
    };
    let dialect = match dialect {
        Database::Mysql => Dialect::MySql,
        Database::Postgres => Dialect::Postgres,
    };
    let watch = grant(kind, vintage, dialect, false);
    let all = grant(kind, vintage, dialect, true);
    output::say(&watch);
    let import = all.strip_prefix(&watch).unwrap_or_default().trim();
    output::say(&format!("-- For `weir import` alone: these columns hold secrets.\n{import}"));
    Ok(())
}

/// Where the database is: as the arguments say, else as the configuration does.
fn config(kind: Kind, args: &Args) -> Result<InventoryConfig, Failure> {
    if let Some(file) = &args.database_url_file {
        return Ok(InventoryConfig::at(kind.word(), Some(file.clone()), args.teams.clone()));
    }
    let checked = check::read(&args.file.config)?;
    let of_kind = checked.config.sources.iter().filter_map(|source| match (kind, source) {
        (Kind::Streampark, SourceConfig::Streampark(found)) => Some(&found.0),
        (Kind::Dinky, SourceConfig::Dinky(found)) => Some(&found.0),
        _ => None,
    });
    let named = |found: &&InventoryConfig| args.source.as_ref().is_none_or(|n| *n == found.name);
    let found: Vec<&InventoryConfig> = of_kind.filter(named).collect();
    match found.as_slice() {
        [one] => {
            let teams = if args.teams.is_empty() { one.teams.clone() } else { args.teams.clone() };
            Ok(InventoryConfig { teams, ..(*one).clone() })
        }
        [] => {
            let file = args.file.config.display();
            output::complain(&format!(
                "error: {file} has no such source of kind {} (name a file with the address of the \
                 database: --database-url-file)",
                kind.word()
            ));
            Err(Failure::Refused)
        }
        several => {
            let several: Vec<&str> = several.iter().map(|found| found.name.as_str()).collect();
            let several = several.join(", ");
            output::complain(&format!(
                "error: several sources fit: {several} (choose by --source)"
            ));
            Err(Failure::Refused)
        }
    }
}
