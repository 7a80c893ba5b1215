//! Settings: flags, `DAODB_*` variables and a TOML file share their names. A flag goes before a variable, a variable before
//! the file, the file before the default.

mod units;

pub use units::{Size, Span};

use crate::cli::Failure;
use clap::Args;
use clap::builder::BoolishValueParser;
use daodb_catalog::database::CatalogOptions;
use daodb_catalog::nearest::nearest;
use daodb_storage::{Location, StreamOptions};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub const DEFAULT_DATA: &str = "./daodb-data";
pub const DEFAULT_PG: &str = "127.0.0.1:5433";
pub const DEFAULT_HTTP: &str = "127.0.0.1:8765";

/// What every command that opens data takes.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Settings (also DAODB_* variables and keys of --config)")]
pub struct Settings {
    /// A TOML file with settings under the names of the long flags: `data = "/var/lib/daodb"`
    #[arg(long, env = "DAODB_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

/// Settings of the database itself.
#[derive(Args, Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
pub struct Common {
    /// Where the databases lie: a folder, made where it is missing; s3://bucket/prefix, gs://bucket/prefix,
    /// az://container/prefix (docs/storage.md); or memory: [default: ./daodb-data]
    #[arg(long, env = "DAODB_DATA", value_name = "PLACE", hide_env = true)]
    pub data: Option<PathBuf>,
    /// The server of a bucket, where it is not the provider's own: `http://127.0.0.1:9000`
    #[arg(long, env = "DAODB_ENDPOINT", value_name = "URL", hide_env = true)]
    pub endpoint: Option<String>,
    /// The region of an S3 bucket [default: that of AWS_REGION or of the AWS profile, else us-east-1]
    #[arg(long, env = "DAODB_REGION", value_name = "NAME", hide_env = true)]
    pub region: Option<String>,
    /// Name an S3 bucket in the URL's path; `--path-style=false`: in the host's name [default: true]
    #[arg(long, env = "DAODB_PATH_STYLE", value_name = "BOOL", hide_env = true, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", hide_possible_values = true,
          value_parser = BoolishValueParser::new())]
    pub path_style: Option<bool>,
    /// Memory that queries may take before they spill to disk [default: 2GiB, or 40 % of the machine's where that is less]
    #[arg(long, env = "DAODB_MEMORY", value_name = "SIZE", hide_env = true)]
    pub memory: Option<Size>,
    /// Facts kept in memory before they are laid down as Parquet [default: 200000]
    #[arg(long, env = "DAODB_TAIL_DATOMS", value_name = "N", hide_env = true)]
    pub tail_datoms: Option<usize>,
    /// Memory for columns read from Parquet [default: 256MiB]
    #[arg(long, env = "DAODB_CACHE_MEMORY", value_name = "SIZE", hide_env = true)]
    pub cache_memory: Option<Size>,
    /// A folder for parts of Parquet files that were read from a bucket; only one process may use it [default: none]
    #[arg(long, env = "DAODB_CACHE", value_name = "DIR", hide_env = true)]
    pub cache: Option<PathBuf>,
    /// How large the folder of --cache may become [default: 4GiB]
    #[arg(long, env = "DAODB_CACHE_SIZE", value_name = "SIZE", hide_env = true)]
    pub cache_size: Option<Size>,
    /// How long a transaction waits for others to share one object and one sync with: `5ms` [default: 0]
    #[arg(long, env = "DAODB_COMMIT_WAIT", value_name = "TIME", hide_env = true)]
    pub commit_wait: Option<Span>,
    /// How long a write waits while memory is full of what is not indexed yet, before it fails [default: 30s]
    #[arg(long, env = "DAODB_WRITE_WAIT", value_name = "TIME", hide_env = true)]
    pub write_wait: Option<Span>,
    /// How long files that are not needed any more stay in a bucket for servers that still read them [default: 24h]
    #[arg(long, env = "DAODB_GRACE", value_name = "TIME", hide_env = true)]
    pub grace: Option<Span>,
    /// What to log to stderr: error, warn, info, debug, trace, or `daodb_storage=debug,warn` [default: warn]
    #[arg(long, env = "DAODB_LOG", value_name = "FILTER", hide_env = true)]
    pub log: Option<String>,
}

/// Settings of a server.
#[derive(Args, Deserialize, Debug, Clone, Default)]
#[serde(rename_all = "kebab-case", default)]
pub struct Wire {
    /// The address that psql and other Postgres clients connect to [default: 127.0.0.1:5433]
    #[arg(long, env = "DAODB_PG", value_name = "ADDR", hide_env = true)]
    pub pg: Option<String>,
    /// The address of the HTTP interface (docs/http.md); none: there is no HTTP [default: 127.0.0.1:8765]
    #[arg(long, env = "DAODB_HTTP", value_name = "ADDR", hide_env = true)]
    pub http: Option<String>,
    /// Listen beyond this machine although there is no authentication yet
    #[arg(long, env = "DAODB_INSECURE", value_name = "BOOL", hide_env = true, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", hide_possible_values = true,
          value_parser = BoolishValueParser::new())]
    pub insecure: Option<bool>,
    /// Follow a bucket that another server writes to, and change nothing; any number of servers may
    #[arg(long, env = "DAODB_READ_ONLY", value_name = "BOOL", hide_env = true, num_args = 0..=1,
          require_equals = true, default_missing_value = "true", hide_possible_values = true,
          value_parser = BoolishValueParser::new())]
    pub read_only: Option<bool>,
    /// Stop statements that run longer: `30s`, `5min`; 0 is never. A session may SET its own [default: 0]
    #[arg(long, env = "DAODB_STATEMENT_TIMEOUT", value_name = "TIME", hide_env = true)]
    pub statement_timeout: Option<Span>,
}

#[derive(Deserialize, Debug, Default)]
struct File {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    wire: Wire,
}

/// Every setting, decided.
#[derive(Debug, Clone)]
pub struct Config {
    /// As it was given: a folder or a URL.
    pub data: PathBuf,
    pub location: Location,
    pub memory: usize,
    pub tail_datoms: usize,
    pub cache_memory: usize,
    pub log: String,
    pub pg: String,
    /// None: the default, where another program may have it.
    pub http: Option<String>,
    pub insecure: bool,
    pub read_only: bool,
    pub commit_wait: Duration,
    pub write_wait: Duration,
    pub grace: Duration,
    /// Milliseconds; 0: none.
    pub statement_timeout: u64,
}

impl Config {
    /// Flags and variables come in by `settings` and `wire`; here the file and the defaults are put under them.
    pub fn resolve(settings: Settings, wire: Wire) -> Result<Config, Failure> {
        let file = match &settings.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let (flags, under) = (settings.common, file.common);
        let data = flags.data.or(under.data).unwrap_or_else(|| DEFAULT_DATA.into());
        let cache_size = flags.cache_size.or(under.cache_size).map_or(4 << 30, |s| s.0 as u64);
        let location = Location {
            data: data.clone(),
            endpoint: flags.endpoint.or(under.endpoint),
            region: flags.region.or(under.region),
            path_style: flags.path_style.or(under.path_style),
            options: Vec::new(),
            cache: flags.cache.or(under.cache).map(|folder| (folder, cache_size)),
        };
        let memory = flags.memory.or(under.memory).map_or_else(default_memory, |s| s.0);
        Ok(Config {
            data,
            location,
            memory,
            tail_datoms: flags.tail_datoms.or(under.tail_datoms).unwrap_or(200_000),
            cache_memory: flags.cache_memory.or(under.cache_memory).map_or(256 << 20, |s| s.0),
            log: flags.log.or(under.log).unwrap_or_else(|| "warn".into()),
            pg: wire.pg.or(file.wire.pg).unwrap_or_else(|| DEFAULT_PG.into()),
            http: wire.http.or(file.wire.http),
            insecure: wire.insecure.or(file.wire.insecure).unwrap_or(false),
            read_only: wire.read_only.or(file.wire.read_only).unwrap_or(false),
            commit_wait: span(flags.commit_wait, under.commit_wait, Duration::ZERO),
            write_wait: span(flags.write_wait, under.write_wait, Duration::from_secs(30)),
            grace: span(flags.grace, under.grace, Duration::from_secs(24 * 60 * 60)),
            statement_timeout: wire
                .statement_timeout
                .or(file.wire.statement_timeout)
                .map_or(0, |s| s.0),
        })
    }

    pub fn catalog_options(&self) -> CatalogOptions {
        let stream = StreamOptions {
            writer: writer().into(),
            write_wait: self.write_wait,
            grace: self.grace,
            ..StreamOptions::new(self.tail_datoms, self.cache_memory, Arc::new(now))
        };
        CatalogOptions {
            commit_wait: self.commit_wait,
            read_only: self.read_only,
            ..CatalogOptions::new(stream, self.memory)
        }
    }

    /// For commands that only look: beside the server that writes, where the place allows it.
    pub fn to_look(self) -> Config {
        Config { read_only: self.read_only || self.location.is_shared(), ..self }
    }
}

fn span(flag: Option<Span>, under: Option<Span>, default: Duration) -> Duration {
    flag.or(under).map_or(default, |s| Duration::from_millis(s.0))
}

/// Who this process is, for another one that it keeps from writing.
fn writer() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.as_deref().map_or("an unnamed machine", str::trim);
    format!("process {} on {host}", std::process::id())
}

/// Microseconds, UTC.
pub fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Two GiB, or 40 % of the machine's memory where that is less.
fn default_memory() -> usize {
    const LIMIT: usize = 2 << 30;
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
    });
    total.map_or(LIMIT, |kib| LIMIT.min(kib / 10 * 4 * 1024))
}

fn read(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read the configuration file {shown}: {e}")))?;
    parse(&text).map_err(|failure| failure.inside(format!("configuration file {shown}")))
}

fn parse(text: &str) -> Result<File, Failure> {
    let table: toml::Table = toml::from_str(text).map_err(|e| Failure::usage(e.to_string()))?;
    let names = names();
    if let Some(key) = table.keys().find(|key| !names.contains(key)) {
        let failure = Failure::usage(format!("unknown setting {key}"));
        return Err(match nearest(key, names.iter().map(String::as_str)) {
            Some(name) => failure.hint(format!("perhaps {name}")),
            None => failure.hint(format!("the settings are {}", names.join(", "))),
        });
    }
    toml::from_str(text).map_err(|e| Failure::usage(e.to_string()))
}

/// The names that a file may use: those of the flags.
fn names() -> Vec<String> {
    let command = Wire::augment_args(Common::augment_args(clap::Command::new("settings")));
    command.get_arguments().filter_map(|a| a.get_long()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn resolve(flags: Common, wire: Wire, file: &str) -> Result<Config, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daodb.toml");
        std::fs::write(&path, file).unwrap();
        Config::resolve(Settings { config: Some(path), common: flags }, wire)
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_defaults() {
        let file = "data = \"/file\"\npg = \"127.0.0.1:1\"\nmemory = \"1GiB\"\ntail-datoms = 7\ncache-memory = 5000\n\
                    insecure = true\nstatement-timeout = \"30s\"\nlog = \"info\"\n";
        let flags = Common { data: Some("/flag".into()), ..Common::default() };
        let config = resolve(flags, Wire::default(), file).unwrap();
        assert_eq!(config.data, PathBuf::from("/flag"));
        assert_eq!((config.memory, config.tail_datoms, config.cache_memory), (1 << 30, 7, 5000));
        assert_eq!((config.pg.as_str(), config.insecure), ("127.0.0.1:1", true));
        assert_eq!((config.log.as_str(), config.statement_timeout), ("info", 30_000));

        let config = resolve(Common::default(), Wire::default(), "").unwrap();
        assert_eq!((config.pg.as_str(), config.insecure), (DEFAULT_PG, false));
        assert_eq!(config.data, PathBuf::from(DEFAULT_DATA));
        assert_eq!(config.location, Location::folder(DEFAULT_DATA));
        assert!(config.memory > 1 << 20 && config.memory <= 2 << 30);
    }

    #[test]
    fn a_bucket_and_its_cache() {
        let file = "data = \"s3://music/a\"\nendpoint = \"http://127.0.0.1:1\"\nregion = \"eu\"\npath-style = false\n\
                    cache = \"/cache\"\ncache-memory = \"1MiB\"\n";
        let flags = Common { region: Some("us".into()), ..Common::default() };
        let config = resolve(flags, Wire::default(), file).unwrap();
        let expect = Location {
            data: "s3://music/a".into(),
            endpoint: Some("http://127.0.0.1:1".into()),
            region: Some("us".into()),
            path_style: Some(false),
            options: Vec::new(),
            cache: Some(("/cache".into(), 4 << 30)),
        };
        assert_eq!((config.location, config.cache_memory), (expect, 1 << 20));
        let file = "cache = \"/cache\"\ncache-size = \"1MiB\"\n";
        let config = resolve(Common::default(), Wire::default(), file).unwrap();
        assert_eq!(config.location.cache, Some(("/cache".into(), 1 << 20)));
    }

    #[test]
    fn a_file_that_is_wrong_is_told_where() {
        let check = |file: &str, expect: &str| {
            let failure =
                resolve(Common::default(), Wire::default(), file).unwrap_err().to_string();
            assert!(failure.contains("daodb.toml") && failure.contains(expect), "{failure}");
        };
        check("memroy = \"1GiB\"", "unknown setting memroy (perhaps memory)");
        check(
            "statement_timeout = 1",
            "unknown setting statement_timeout (perhaps statement-timeout)",
        );
        check("colour = true", "the settings are data, endpoint,");
        check("memory = \"lots\"", "\"lots\" is no size");
        check("insecure = \"yes\"", "insecure");
        check("data = ", "line 1");
    }
}
