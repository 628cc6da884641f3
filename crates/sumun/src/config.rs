//! Configuration: one typed tree, put together of flags over variables over a file over the embedded default file.
//! The environment is read in this file and nowhere else: clap reads the variables that are named here.
//! Unknown keys of a file are refused with file, line and key.

use crate::caps::{MEMORY_UNKNOWN_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, STORE_DELAY_MS_MAX};
use crate::failure::Failure;
use crate::machine;
use crate::operator::{Format, Level};
use crate::units::{Bytes, Millis, Ratio};
use clap::Args;
use serde::Deserialize;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use sumun_trace::Endpoint;

/// The documented defaults. Every key stands in it.
pub(crate) const DEFAULT_FILE: &str = include_str!("sumun.toml");
const FILE_NAME: &str = "sumun.toml";

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
    #[arg(long, value_name = "PART", env = "SUMUN_TRACE_RATIO", hide_env_values = true)]
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
        let otlp = collector(&self.otlp.expect(whole), variable, &mut ignored)?;
        let trace_ratio = self.trace_ratio.expect(whole).0.unwrap_or_else(|| ratio(variable, &mut ignored));
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
            service: variable(OTEL_SERVICE).unwrap_or_else(|| "sumun".to_owned()),
            ignored,
        };
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
        let addresses = config.http.map(|http| ("http", http)).into_iter().chain([("resp", config.resp)]);
        let is_open = |(_, address): &(&str, SocketAddr)| !address.ip().is_loopback() && !config.expose;
        if let Some((key, address)) = addresses.into_iter().find(is_open) {
            return Err(Failure::Usage(format!(
                "`{key}` is {address}, which others can reach, and there are no keys yet: whoever reaches it may do \
                 everything. Use an address of loopback, or `expose = true` (--expose) if the network keeps others away"
            )));
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

type Ignored = Vec<(&'static str, String)>;

/// Of OpenTelemetry's own variables those that its users expect to be read, below all else. What cannot be taken of them is
/// told and left aside: they are set for everything in a container, not for this server.
const OTEL_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const OTEL_SERVICE: &str = "OTEL_SERVICE_NAME";
const OTEL_RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
const TRACE_RATIO: Ratio = Ratio(10_000);

fn collector(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    ignored: &mut Ignored,
) -> Result<Option<Endpoint>, Failure> {
    match text {
        "-" => Ok(None),
        "" => {
            let given = variable(OTEL_ENDPOINT).filter(|given| !given.is_empty());
            let read = given.map(|given| given.parse().map_err(|error: sumun_trace::EndpointError| error.to_string()));
            Ok(read.transpose().unwrap_or_else(|why| {
                ignored.push((OTEL_ENDPOINT, why));
                None
            }))
        }
        text => text.parse().map(Some).map_err(|error| Failure::Usage(format!("`otlp`: {error}"))),
    }
}

fn ratio(variable: &dyn Fn(&str) -> Option<String>, ignored: &mut Ignored) -> Ratio {
    let given = variable(OTEL_RATIO).filter(|given| !given.is_empty());
    given.map_or(TRACE_RATIO, |given| {
        given.parse().unwrap_or_else(|error: crate::units::UnitError| {
            ignored.push((OTEL_RATIO, error.to_string()));
            TRACE_RATIO
        })
    })
}

/// Names, separated by commas.
fn hosts(text: &str) -> Result<Vec<String>, Failure> {
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

fn read(path: &Path) -> Result<Layer, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read the configuration {}: {error}", path.display())))?;
    parse(&text, path)
}

/// Errors name file, line and key: `sumun.toml:3: unknown key `retentoin`…`.
fn parse(text: &str, path: &Path) -> Result<Layer, Failure> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..start].iter().filter(|&&b| b == b'\n').count();
        let found = text.lines().nth(line).unwrap_or_default();
        let key = found.split('=').next().unwrap_or_default().trim();
        let why = error.message().replace("unknown field", "unknown key");
        let about = if why.contains(&format!("`{key}`")) { String::new() } else { format!("`{key}`: ") };
        Failure::Usage(format!("{}:{}: {about}{why}", path.display(), line + 1))
    })
}

fn address(name: &str, text: &str) -> Result<SocketAddr, Failure> {
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
    fn flaws_of_a_file_are_told_with_file_line_and_key() {
        let check = |text: &str, parts: &[&str]| {
            let flaw = finish(text).expect_err(text);
            parts.iter().for_each(|part| assert!(flaw.contains(part), "{text:?}: {flaw}"));
        };
        check("# first\nretentoin = \"7d\"\n", &["sumun.toml:2: ", "unknown key `retentoin`", "`retention`"]);
        check("data = \"x\"\n\nretention = \"7w\"", &["sumun.toml:3: `retention`: a duration is"]);
        check("memory = 512", &["sumun.toml:1: `memory`: ", "expected a string"]);
        check("memory = \"512MB\"", &["sumun.toml:1: `memory`: a size is"]);
        check("max_clients = -1", &["sumun.toml:1: `max_clients`: "]);
        check("accept_clock = \"yes\"", &["sumun.toml:1: `accept_clock`: "]);
        check("[resp]\naddress = 1", &["sumun.toml:1: "]);
        check("data = \"a\"\ndata = \"b\"", &["sumun.toml:2: ", "duplicate key"]);
        check("data = ", &["sumun.toml:1: "]);
        check("resp = \"localhost\"", &["`resp` is an address and a port", "`localhost`"]);
        check("retention = \"0s\"", &["`retention` must be more than 0"]);
        check("http = \"0.0.0.0:7080\"", &["`http` is 0.0.0.0:7080, which others can reach", "--expose"]);
        check("resp = \"[::]:6380\"", &["`resp` is [::]:6380, which others can reach", "--expose"]);
        check("http_hosts = \"a.example:80\"", &["`http_hosts` are names without port", "`a.example:80`"]);
        check("otlp = \"https://a:4318\"", &["`otlp`: `https` is not spoken"]);
        check("trace_ratio = \"1.5\"", &["sumun.toml:1: `trace_ratio`: a part is a number from 0 to 1"]);
        check("log_format = \"xml\"", &["sumun.toml:1: `log_format`: ", "`json`"]);
        check("log_level = \"all\"", &["sumun.toml:1: `log_level`: ", "`warn`"]);
        check("segment = \"1MiB\"", &["`segment` must be 4MiB to 4GiB, not 1MiB"]);
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
                OTEL_ENDPOINT => Some(endpoint.to_owned()),
                OTEL_RATIO => Some(part.to_owned()),
                OTEL_SERVICE => Some("shop".to_owned()),
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
        assert_eq!(with("otlp = \"-\"", "http://a:4318", ""), (None, TRACE_RATIO, 0));
        assert_eq!(with("", "https://a:4317", "always"), (None, TRACE_RATIO, 2));
        assert_eq!(with("", "", ""), (None, TRACE_RATIO, 0));
    }

    #[test]
    fn an_upper_layer_wins() {
        let upper = parse("memory = \"2GiB\"", Path::new("a")).expect("valid");
        let lower = parse("memory = \"3GiB\"\ngrace = \"5s\"", Path::new("b")).expect("valid");
        let both = upper.over(lower);
        assert_eq!((both.memory, both.grace), (Some(Given(Some(Bytes(2 << 30)))), Some(Millis(5_000))));
    }
}
