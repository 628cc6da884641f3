//! Configuration: one typed tree, put together of flags over variables over a file over the embedded default file.
//! The environment is read in this file and nowhere else: clap reads the variables that are named here.
//! Unknown keys of a file are refused with file, line and key.

use crate::caps::{MEMORY_UNKNOWN_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, STORE_DELAY_MS_MAX};
use crate::failure::Failure;
use crate::machine;
use crate::mistakes::{self, Looked, Mistake};
use crate::operator::{Format, Level};
use crate::otel;
use crate::units::{Bytes, Millis, Ratio};
use clap::Args;
use serde::Deserialize;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use sumun_trace::Endpoint;

/// The documented defaults. Every key stands in it.
pub(crate) const DEFAULT_FILE: &str = include_str!("sumun.toml");
pub(crate) const FILE_NAME: &str = "sumun.toml";

/// What `serve` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) resp: SocketAddr,
    /// `None`: HTTP is not served.
    pub(crate) http: Option<SocketAddr>,
    pub(crate) http_hosts: Vec<String>,
    pub(crate) expose: bool,
    pub(crate) memory: Bytes,
    pub(crate) retention: Millis,
    pub(crate) log_retention: Millis,
    pub(crate) store_delay: Millis,
    pub(crate) accept_clock: bool,
    pub(crate) grace: Millis,
    pub(crate) max_clients: u32,
    pub(crate) segment: Bytes,
    pub(crate) log_format: Format,
    pub(crate) log_level: Level,
    /// `None`: nothing is traced.
    pub(crate) otlp: Option<Endpoint>,
    pub(crate) trace_ratio: Ratio,
    pub(crate) service: String,
    /// Variables of others that could not be taken, and why.
    pub(crate) ignored: Vec<(&'static str, String)>,
}

/// One layer of it: what flags and variables, or one file, say. Each field is a flag, a variable and a key.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    /// Directory of log and store: everything that has to last [default: ./sumun-data]
    #[arg(long, value_name = "DIR", env = "SUMUN_DATA", hide_env_values = true)]
    data: Option<PathBuf>,
    /// Address for Redis clients; port 0 picks a free one [default: 127.0.0.1:6380]
    #[arg(long, value_name = "ADDR", env = "SUMUN_RESP", hide_env_values = true)]
    resp: Option<String>,
    /// Address for HTTP; port 0 picks a free one, `-` turns it off [default: 127.0.0.1:7080]
    #[arg(long, value_name = "ADDR", env = "SUMUN_HTTP", hide_env_values = true, allow_hyphen_values = true)]
    http: Option<String>,
    /// Names that HTTP clients call this server by, beside addresses and localhost: `a.example,b.example` [default: none]
    #[arg(long, value_name = "NAMES", env = "SUMUN_HTTP_HOSTS", hide_env_values = true)]
    http_hosts: Option<String>,
    /// Listen beyond loopback although there are no keys yet [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(env = "SUMUN_EXPOSE", hide_env_values = true)]
    expose: Option<bool>,
    /// What records and the store may take in memory [default: half of the cgroup's or machine's]
    #[arg(long, value_name = "SIZE", env = "SUMUN_MEMORY", hide_env_values = true)]
    memory: Option<Given<Bytes>>,
    /// How long ids are remembered after their end [default: 30d]
    #[arg(long, value_name = "DURATION", env = "SUMUN_RETENTION", hide_env_values = true)]
    retention: Option<Millis>,
    /// How long the log is kept [default: as --retention]
    #[arg(long, value_name = "DURATION", env = "SUMUN_LOG_RETENTION", hide_env_values = true)]
    log_retention: Option<Given<Millis>>,
    /// How long a change may wait before it goes to the store [default: 500ms]
    #[arg(long, value_name = "DURATION", env = "SUMUN_STORE_DELAY", hide_env_values = true)]
    store_delay: Option<Millis>,
    /// Start although the clock is more than an hour behind the log [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(env = "SUMUN_ACCEPT_CLOCK", hide_env_values = true)]
    accept_clock: Option<bool>,
    /// How long a stop may take to finish what was accepted [default: 30s]
    #[arg(long, value_name = "DURATION", env = "SUMUN_GRACE", hide_env_values = true)]
    grace: Option<Millis>,
    /// Connections at one time [default: 10000]
    #[arg(long, value_name = "N", env = "SUMUN_MAX_CLIENTS", hide_env_values = true)]
    max_clients: Option<u32>,
    /// Size of the log's segments [default: 64MiB]
    #[arg(long, value_name = "SIZE", env = "SUMUN_SEGMENT", hide_env_values = true)]
    segment: Option<Bytes>,
    /// How what the server tells its operator looks on stderr [default: text]
    #[arg(long, value_name = "FORMAT", env = "SUMUN_LOG_FORMAT", hide_env_values = true)]
    log_format: Option<Format>,
    /// The least that it tells [default: info]
    #[arg(long, value_name = "LEVEL", env = "SUMUN_LOG_LEVEL", hide_env_values = true)]
    log_level: Option<Level>,
    /// Collector for traces, OTLP over HTTP: `http://127.0.0.1:4318`; `-` for none [default: OTEL_EXPORTER_OTLP_ENDPOINT's]
    #[arg(long, value_name = "URL", env = "SUMUN_OTLP", hide_env_values = true, allow_hyphen_values = true)]
    otlp: Option<String>,
    /// Part of the requests without a trace of their own that is traced [default: OTEL_TRACES_SAMPLER_ARG's, or 0.01]
    #[arg(long, value_name = "PART", env = "SUMUN_otel::RATIO_DEFAULT", hide_env_values = true)]
    trace_ratio: Option<Given<Ratio>>,
}

/// A value, or empty: what follows from something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String", bound = "T: FromStr, T::Err: std::fmt::Display")]
pub(crate) struct Given<T>(Option<T>);

impl<T: FromStr> FromStr for Given<T> {
    type Err = T::Err;
    fn from_str(text: &str) -> Result<Given<T>, T::Err> {
        if text.is_empty() { Ok(Given(None)) } else { text.parse().map(|value| Given(Some(value))) }
    }
}

impl<T: FromStr> TryFrom<String> for Given<T> {
    type Error = T::Err;
    fn try_from(text: String) -> Result<Given<T>, T::Err> {
        text.parse()
    }
}

/// Whose data a command looks at.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataDirectory {
    /// Directory of the server
    #[arg(long, value_name = "DIR", env = "SUMUN_DATA", default_value = "./sumun-data", hide_env_values = true)]
    pub(crate) data: PathBuf,
}

/// Which server the client commands talk to.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerAddress {
    /// Address of the server
    #[arg(long, value_name = "ADDR", env = "SUMUN_SERVER", default_value = "127.0.0.1:6380", hide_env_values = true)]
    pub(crate) server: String,
}

impl ServerAddress {
    pub(crate) fn resolve(&self) -> Result<SocketAddr, Failure> {
        address("--server", &self.server)
    }
}

/// Which server's HTTP interface a command talks to.
#[derive(Args, Clone, Debug)]
pub(crate) struct HttpAddress {
    /// Address of the server's HTTP
    #[arg(
        long,
        value_name = "ADDR",
        env = "SUMUN_SERVER_HTTP",
        default_value = "127.0.0.1:7080",
        hide_env_values = true
    )]
    pub(crate) http: String,
}

impl HttpAddress {
    pub(crate) fn resolve(&self) -> Result<SocketAddr, Failure> {
        address("--http", &self.http)
    }
}

/// Flags of `serve` that say where the rest comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Sources {
    /// Configuration file; ./sumun.toml is read when it is there and none is named
    #[arg(long, value_name = "FILE", env = "SUMUN_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) layer: Layer,
}

impl Config {
    /// Reads the file, if any, and puts the layers together.
    pub(crate) fn load(sources: &Sources) -> Result<Config, Failure> {
        let file = match &sources.config {
            Some(path) => read(path)?,
            None if Path::new(FILE_NAME).exists() => read(Path::new(FILE_NAME))?,
            None => Layer::default(),
        };
        let default = parse(DEFAULT_FILE, Path::new("embedded sumun.toml"))?;
        let layer = sources.layer.clone().over(file).over(default);
        layer.finish(&|name| std::env::var_os(name)?.into_string().ok())
    }
}

impl Layer {
    fn over(self, below: Layer) -> Layer {
        Layer {
            data: self.data.or(below.data),
            resp: self.resp.or(below.resp),
            http: self.http.or(below.http),
            http_hosts: self.http_hosts.or(below.http_hosts),
            expose: self.expose.or(below.expose),
            memory: self.memory.or(below.memory),
            retention: self.retention.or(below.retention),
            log_retention: self.log_retention.or(below.log_retention),
            store_delay: self.store_delay.or(below.store_delay),
            accept_clock: self.accept_clock.or(below.accept_clock),
            grace: self.grace.or(below.grace),
            max_clients: self.max_clients.or(below.max_clients),
            segment: self.segment.or(below.segment),
            log_format: self.log_format.or(below.log_format),
            log_level: self.log_level.or(below.log_level),
            otlp: self.otlp.or(below.otlp),
            trace_ratio: self.trace_ratio.or(below.trace_ratio),
        }
    }

    /// `variable` says what somebody else's variable holds.
    fn finish(self, variable: &dyn Fn(&str) -> Option<String>) -> Result<Config, Failure> {
        let whole = "the embedded file has every key";
        let retention = self.retention.expect(whole);
        let mut ignored = Vec::new();
        let otlp = otel::collector(&self.otlp.expect(whole), variable, &mut ignored)?;
        let trace_ratio = self.trace_ratio.expect(whole).0.unwrap_or_else(|| otel::ratio(variable, &mut ignored));
        let config = Config {
            data: self.data.expect(whole),
            resp: address("resp", &self.resp.expect(whole))?,
            http: optional_address("http", &self.http.expect(whole))?,
            http_hosts: hosts(&self.http_hosts.expect(whole))?,
            expose: self.expose.expect(whole),
            memory: self.memory.expect(whole).0.unwrap_or_else(half_of_what_there_is),
            retention,
            log_retention: self.log_retention.expect(whole).0.unwrap_or(retention),
            store_delay: self.store_delay.expect(whole),
            accept_clock: self.accept_clock.expect(whole),
            grace: self.grace.expect(whole),
            max_clients: self.max_clients.expect(whole),
            segment: self.segment.expect(whole),
            log_format: self.log_format.expect(whole),
            log_level: self.log_level.expect(whole),
            otlp,
            trace_ratio,
            service: variable(otel::SERVICE).unwrap_or_else(|| "sumun".to_owned()),
            ignored,
        };
        let Config { resp, http, expose, .. } = config;
        // Names that nobody is served by do no harm: a flag may have turned HTTP off.
        if let Some(found) = mistakes::contradictions(resp, http, &[], expose).into_iter().next() {
            return Err(Failure::Usage(found.message));
        }
        for (key, zero) in [
            ("retention", config.retention.0 == 0),
            ("log_retention", config.log_retention.0 == 0),
            ("max_clients", config.max_clients == 0),
            ("memory", config.memory.0 == 0),
        ] {
            if zero {
                return Err(Failure::Usage(format!("`{key}` must be more than 0")));
            }
        }
        if config.store_delay.0 > STORE_DELAY_MS_MAX {
            return Err(Failure::Usage(format!("`store_delay` is at most {}", Millis(STORE_DELAY_MS_MAX))));
        }
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&config.segment.0) {
            let (least, most) = (Bytes(SEGMENT_BYTES_MIN), Bytes(SEGMENT_BYTES_MAX));
            return Err(Failure::Usage(format!("`segment` must be {least} to {most}, not {}", config.segment)));
        }
        Ok(config)
    }
}

/// An address, or `-` for none.
fn optional_address(name: &str, text: &str) -> Result<Option<SocketAddr>, Failure> {
    if text == "-" { Ok(None) } else { address(name, text).map(Some) }
}

/// Names, separated by commas.
pub(crate) fn hosts(text: &str) -> Result<Vec<String>, Failure> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    names
        .map(|name| {
            let flaw = || format!("`http_hosts` are names without port, separated by commas, and `{name}` is none");
            if is_name(name) { Ok(name.to_owned()) } else { Err(Failure::Usage(flaw())) }
        })
        .collect()
}

fn half_of_what_there_is() -> Bytes {
    Bytes(machine::memory().map_or(MEMORY_UNKNOWN_BYTES, |bytes| bytes / 2))
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::Usage(format!("cannot read the configuration {}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
        failed(format!("line {line} is not UTF-8"))
    })
}

fn read(path: &Path) -> Result<Layer, Failure> {
    parse(&text_of(path)?, path)
}

/// All mistakes, each with file, line, column and key: `sumun.toml:3:1: unknown key `retentoin`…`.
fn parse(text: &str, path: &Path) -> Result<Layer, Failure> {
    let Looked { mistakes, .. } = mistakes::look(text);
    if !mistakes.is_empty() {
        let lines: Vec<String> = mistakes.iter().map(|mistake| format!("{}:{mistake}", path.display())).collect();
        return Err(Failure::Usage(lines.join("\nsumun: ")));
    }
    toml::from_str(text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

/// All mistakes of a file, contradictions too: what it leaves out has its default.
pub(crate) fn check(path: &Path) -> Result<Vec<Mistake>, Failure> {
    check_text(&text_of(path)?)
}

fn check_text(text: &str) -> Result<Vec<Mistake>, Failure> {
    let mut looked = mistakes::look(text);
    // A key that is wrong is taken as left out.
    let default = mistakes::look(DEFAULT_FILE);
    let said = |key: &str| looked.said(key).or_else(|| default.said(key)).unwrap_or_default();
    let expose = said("expose") == "true";
    let (resp, http) = (address("resp", said("resp"))?, optional_address("http", said("http"))?);
    let found = mistakes::contradictions(resp, http, &hosts(said("http_hosts"))?, expose);
    looked.contradicted(found);
    Ok(looked.mistakes)
}

pub(crate) fn address(name: &str, text: &str) -> Result<SocketAddr, Failure> {
    let flaw =
        |why: String| Failure::Usage(format!("`{name}` is an address and a port, as in `127.0.0.1:6380`: {why}"));
    let mut found = text.to_socket_addrs().map_err(|error| flaw(format!("`{text}`: {error}")))?;
    found.next().ok_or_else(|| flaw(format!("`{text}` names no address")))
}

/// `SUMUN_…` variables that no flag has: most likely mistyped. Not refused, since Kubernetes sets `SUMUN_PORT` and its
/// like beside a service of that name.
pub(crate) fn unknown_variables(command: &clap::Command) -> Vec<String> {
    let mut known: Vec<&std::ffi::OsStr> = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        known.extend(command.get_arguments().filter_map(clap::Arg::get_env));
        open.extend(command.get_subcommands());
    }
    let set = std::env::vars_os().map(|(name, _)| name);
    set.filter(|name| !known.contains(&name.as_os_str()))
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("SUMUN_"))
        .collect()
}

/// Whether whoever runs this wants no colours (<https://no-color.org>).
pub(crate) fn wants_no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A server that is started to be tried out takes its flags and the defaults, whatever this shell has set.
pub(crate) fn forget_variables(command: &mut std::process::Command) {
    let is_read = |name: &[u8]| name.starts_with(b"SUMUN_") || name.starts_with(b"OTEL_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_read(name.as_encoded_bytes())) {
        command.env_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(text: &str) -> Result<Config, String> {
        let whole = |layer: Layer| layer.over(parse(DEFAULT_FILE, Path::new("default"))?).finish(&|_| None);
        parse(text, Path::new("sumun.toml")).and_then(whole).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_embedded_file_has_every_key_and_nothing_else() {
        let config = finish("").expect("the embedded file is whole");
        assert_eq!(config.data, Path::new("./sumun-data"));
        assert_eq!(config.resp, "127.0.0.1:6380".parse().expect("an address"));
        assert_eq!(config.log_retention, config.retention);
    }

    #[test]
    fn the_help_of_each_flag_names_its_default() {
        let command = Layer::augment_args(clap::Command::new("serve"));
        let help = |flag: &str| {
            let argument = command.get_arguments().find(|argument| argument.get_id() == flag);
            argument.and_then(clap::Arg::get_help).expect("a flag for each key, with help").to_string()
        };
        let keys: toml::Table = DEFAULT_FILE.parse().expect("valid");
        assert_eq!(command.get_arguments().count(), keys.len());
        for (key, value) in &keys {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let default = match (key.as_str(), value.as_str()) {
                ("memory", "") => "half of the cgroup's or machine's",
                ("log_retention", "") => "as --retention",
                ("http_hosts", "") => "none",
                ("otlp", "") => "OTEL_EXPORTER_OTLP_ENDPOINT's",
                ("trace_ratio", "") => "OTEL_TRACES_SAMPLER_ARG's, or 0.01",
                (_, value) => value,
            };
            assert!(help(key).contains(&format!("[default: {default}]")), "{key}: {}", help(key));
        }
    }

    #[test]
    fn log_retention_follows_retention_until_it_is_set() {
        let check = |text: &str, ms: u64| assert_eq!(finish(text).map(|c| c.log_retention), Ok(Millis(ms)), "{text}");
        check("retention = \"7d\"", 604_800_000);
        check("retention = \"7d\"\nlog_retention = \"1d\"", 86_400_000);
    }

    #[test]
    fn the_keys_that_are_checked_are_those_of_the_embedded_file() {
        let table: toml::Table = DEFAULT_FILE.parse().expect("valid");
        let mut keys: Vec<&str> = mistakes::keys().collect();
        keys.sort_unstable();
        assert!(table.keys().map(String::as_str).eq(keys));
        assert_eq!(check_text(DEFAULT_FILE).map_err(|failure| failure.to_string()), Ok(Vec::new()));
        assert_eq!(check_text("").map_err(|failure| failure.to_string()), Ok(Vec::new()));
    }

    /// Each mistake, one a line, as it is told.
    fn found(text: &str) -> String {
        let mistakes = check_text(text).expect("only mistakes");
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_mistake_is_told_with_its_place_its_key_and_what_was_meant() {
        let check = |text: &str, wanted: &str| assert_eq!(found(text), wanted, "{text:?}");
        let part = |text: &str, parts: &[&str]| {
            let found = found(text);
            parts.iter().for_each(|part| assert!(found.contains(part), "{text:?}: {found}"));
            assert_eq!(found.lines().count(), 1, "{text:?}: {found}");
        };
        // Misspelt.
        check("# first\nretentoin = \"7d\"\n", "2:1: unknown key `retentoin`; did you mean `retention`?");
        check("log-retention = \"7d\"", "1:1: unknown key `log-retention`; did you mean `log_retention`?");
        check("MaxClients = 5", "1:1: unknown key `MaxClients`; did you mean `max_clients`?");
        check("  htp_hosts = \"a\"", "1:3: unknown key `htp_hosts`; did you mean `http_hosts`?");
        part("colour = \"red\"", &["1:1: unknown key `colour`; the keys are data, resp, http"]);
        check(
            "[http]\nhosts = \"a\"",
            "1:1: `http`: must be an address in quotes, as in \"127.0.0.1:7080\", or \"-\" for none, and is a table",
        );
        check(
            "[server]\nresp = \"127.0.0.1:1\"",
            "1:2: unknown table `server`: all keys stand at the top of the file, without `[…]`; did you mean `resp`?",
        );
        check(
            "log.retention = \"7d\"",
            "1:1: unknown table `log`: all keys stand at the top of the file, without `[…]`; did you mean `log_retention`?",
        );
        // The wrong type.
        check("memory = 512", "1:10: `memory`: must be a size in quotes, as in \"512MiB\", and is a number");
        part("retention = 30", &["1:13: `retention`: must be a duration in quotes", "is a number"]);
        part("retention = 2026-01-01", &["1:13: `retention`: ", "is a date"]);
        part("max_clients = \"1,000\"", &["1:15: `max_clients`: must be a whole number", "did you mean `1000`?"]);
        part("max_clients = 1.5", &["1:15: `max_clients`: ", "is a number with a point"]);
        check(
            "accept_clock = \"yes\"",
            "1:16: `accept_clock`: must be true or false, without quotes, and is text; did you mean `true`?",
        );
        check(
            "expose = 0",
            "1:10: `expose`: must be true or false, without quotes, and is a number; did you mean `false`?",
        );
        part("http = false", &["1:8: `http`: must be an address", "did you mean `\"-\"`?"]);
        part("http_hosts = [\"a\", \"b\"]", &["1:14: `http_hosts`: ", "did you mean `\"a,b\"`?"]);
        part("data = [1]", &["1:8: `data`: must be a directory in quotes, and is a list"]);
        // The wrong unit.
        part(
            "data = \"x\"\n\nretention = \"7w\"",
            &["3:13: `retention`: a duration is", "not `7w`; did you mean `\"49d\"`?"],
        );
        part("retention = \"30 days\"", &["did you mean `\"30d\"`?"]);
        part("grace = \"90\"", &["1:9: `grace`: a duration is", "not `90`"]);
        part("memory = \"512MB\"", &["1:10: `memory`: a size is", "did you mean `\"512MiB\"`?"]);
        part("memory = \"2g\"", &["did you mean `\"2GiB\"`?"]);
        part("grace = \"99999999999999999999s\"", &["more than can be counted"]);
        // Out of range.
        check("retention = \"0s\"", "1:13: `retention`: must be more than 0");
        check("memory = \"0B\"", "1:10: `memory`: must be more than 0");
        part("max_clients = 0", &["1:15: `max_clients`: must be more than 0"]);
        part("max_clients = -1", &["1:15: `max_clients`: must be more than 0", "not -1"]);
        check("store_delay = \"2m\"", "1:15: `store_delay`: must be at most 1m, not 2m");
        check("segment = \"1MiB\"", "1:11: `segment`: must be 4MiB to 4GiB, not 1MiB");
        check("data = \"\"", "1:8: `data`: a directory is missing");
        // Addresses and names.
        part("resp = \"localhost\"", &["1:8: `resp` is an address and a port", "did you mean `\"127.0.0.1:6380\"`?"]);
        part("resp = \"6381\"", &["did you mean `\"127.0.0.1:6381\"`?"]);
        part("http = \"http://127.0.0.1:80/\"", &["did you mean `\"127.0.0.1:80\"`?"]);
        part("http = \"::1\"", &["did you mean `\"[::1]:7080\"`?"]);
        part(
            "http_hosts = \"a.example:80\"",
            &["1:14: `http_hosts` are names without port", "did you mean `\"a.example\"`?"],
        );
        // What contradicts itself.
        part("http = \"0.0.0.0:7080\"", &["1:1: `http` is 0.0.0.0:7080, which others can reach", "--expose"]);
        part("\nresp = \"[::]:6380\"", &["2:1: `resp` is [::]:6380, which others can reach", "--expose"]);
        check(
            "resp = \"127.0.0.1:7080\"",
            "1:1: `http` and `resp` are both 127.0.0.1:7080: each needs a port of its own",
        );
        check(
            "http = \"-\"\nhttp_hosts = \"a\"",
            "2:1: `http_hosts` names hosts, and `http` is `-`: HTTP is not served",
        );
        // Where spans and lines go.
        part("otlp = \"https://a:4318\"", &["1:8: `otlp`: ", "`https` is not spoken"]);
        part("trace_ratio = \"1.5\"", &["1:15: `trace_ratio`: a part is a number from 0 to 1"]);
        part("log_format = \"xml\"", &["1:14: `log_format`: ", "json"]);
        part("log_level = \"all\"", &["1:13: `log_level`: ", "warn"]);
        // No TOML.
        part("data = \"a\"\ndata = \"b\"", &["2:1: `data`: duplicate key"]);
        part("data = ", &["1:", "`data`: "]);
        part("data = ./x", &["1:8: `data`: ", "did you mean `\"./x\"`?"]);
        part("retention = 30d", &["1:", "`retention`: ", "did you mean `\"30d\"`?"]);
        part("just words", &["1:"]);
        part("data = \"x", &["1:", "`data`: "]);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "retentoin = \"7d\"\nmemory = 5\ngrace = \"1w\"\nresp = \"0.0.0.0:1\"\nmax_clients = x\n";
        let found = found(text);
        let lines: Vec<&str> = found.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(lines, ["1", "2", "3", "4", "5"], "{found}");
        let flaw = finish(text).expect_err("serve refuses it too");
        assert!(
            flaw.starts_with(
                "sumun.toml:1:1: unknown key `retentoin`; did you mean `retention`?\nsumun: sumun.toml:2:10: "
            ),
            "{flaw}"
        );
    }

    #[test]
    fn what_layers_make_together_is_checked_too() {
        let check = |text: &str, part: &str| assert!(finish(text).expect_err(text).contains(part), "{text}");
        check("http = \"0.0.0.0:7080\"", "`http` is 0.0.0.0:7080, which others can reach");
        check("http = \"127.0.0.1:6380\"", "`http` and `resp` are both 127.0.0.1:6380");
        assert!(finish("resp = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"").is_ok());
    }

    #[test]
    fn http_listens_where_it_is_told_to_or_not_at_all() {
        let check = |text: &str| finish(text).expect("good");
        assert_eq!(check("http = \"-\"").http, None);
        assert_eq!(check("").http, Some("127.0.0.1:7080".parse().expect("an address")));
        assert!(check("http = \"0.0.0.0:1\"\nexpose = true").http.is_some());
        assert_eq!(check("http_hosts = \"a.example, b-c.example\"").http_hosts, ["a.example", "b-c.example"]);
    }

    #[test]
    fn others_variables_for_traces_come_last_and_are_never_a_reason_not_to_start() {
        let with = |text: &str, endpoint: &str, part: &str| {
            let given = |name: &str| match name {
                otel::ENDPOINT => Some(endpoint.to_owned()),
                otel::RATIO => Some(part.to_owned()),
                otel::SERVICE => Some("shop".to_owned()),
                _ => None,
            };
            let layer =
                parse(text, Path::new("a")).expect("valid").over(parse(DEFAULT_FILE, Path::new("b")).expect("valid"));
            let config = layer.finish(&given).expect("good");
            let otlp = config.otlp.map(|endpoint| endpoint.to_string());
            assert_eq!(config.service, "shop");
            (otlp, config.trace_ratio, config.ignored.len())
        };
        let at = |host: &str| Some(format!("http://{host}:4318/v1/traces"));
        assert_eq!(with("", "http://a:4318", "0.5"), (at("a"), Ratio(500_000), 0));
        assert_eq!(
            with("otlp = \"http://b:4318\"\ntrace_ratio = \"1\"", "http://a:4318", "0.5"),
            (at("b"), Ratio(1_000_000), 0)
        );
        assert_eq!(with("otlp = \"-\"", "http://a:4318", ""), (None, otel::RATIO_DEFAULT, 0));
        assert_eq!(with("", "https://a:4317", "always"), (None, otel::RATIO_DEFAULT, 2));
        assert_eq!(with("", "", ""), (None, otel::RATIO_DEFAULT, 0));
    }

    #[test]
    fn an_upper_layer_wins() {
        let upper = parse("memory = \"2GiB\"", Path::new("a")).expect("valid");
        let lower = parse("memory = \"3GiB\"\ngrace = \"5s\"", Path::new("b")).expect("valid");
        let both = upper.over(lower);
        assert_eq!((both.memory, both.grace), (Some(Given(Some(Bytes(2 << 30)))), Some(Millis(5_000))));
    }
}
