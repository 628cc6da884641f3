//! Where spans go: `http://host[:port][/path]`, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.

use http::Uri;
use http::uri::Scheme;
use std::str::FromStr;

const PATH: &str = "/v1/traces";
/// Where collectors listen for OTLP over HTTP.
const PORT: u16 = 4_318;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("`{0}` is no URL: it is `http://host:4318`")]
    Malformed(String),
    #[error("`{0}` is not spoken to a collector, only `http`: put one beside the server that speaks TLS to others")]
    Scheme(String),
    #[error("`{0}` has a user, a query or a fragment, which the URL of a collector has not")]
    Unknown(String),
}

impl Endpoint {
    pub fn uri(&self) -> &Uri {
        &self.uri
    }
}

pub(crate) fn port_of(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(PORT)
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Endpoint, EndpointError> {
        let malformed = || EndpointError::Malformed(text.to_owned());
        let given: Uri = text.parse().map_err(|_| malformed())?;
        let (Some(scheme), Some(authority)) = (given.scheme(), given.authority()) else { return Err(malformed()) };
        if *scheme != Scheme::HTTP {
            return Err(EndpointError::Scheme(scheme.to_string()));
        }
        if given.query().is_some() || authority.as_str().contains('@') || text.contains('#') {
            return Err(EndpointError::Unknown(text.to_owned()));
        }
        let base = given.path().trim_end_matches('/');
        let path = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
        let uri = Uri::builder().scheme("http").authority(authority.clone()).path_and_query(path).build();
        Ok(Endpoint { uri: uri.map_err(|_| malformed())? })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_where_it_is_not_given() {
        let check = |text: &str, expected: &str| assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), expected);
        check("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces");
        check("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces");
        check("http://collector/v1/traces", "http://collector/v1/traces");
        check("http://[::1]:9/otlp/", "http://[::1]:9/otlp/v1/traces");
        for bad in ["", "collector:4318", "127.0.0.1", "http://", "/v1/traces", "http://a b"] {
            assert!(matches!(bad.parse::<Endpoint>(), Err(EndpointError::Malformed(_) | EndpointError::Scheme(_))));
        }
        assert!(matches!("https://a:4318".parse::<Endpoint>(), Err(EndpointError::Scheme(_))));
        for bad in ["http://u:p@a:1", "http://a:1/?x=1", "http://a:1/#x"] {
            assert!(matches!(bad.parse::<Endpoint>(), Err(EndpointError::Unknown(_))), "{bad}");
        }
    }
}
