//! Who may ask: a web page that was loaded elsewhere must not write to a server on loopback, nor may a name that
//! somebody else's DNS points here (rebinding).

use crate::problem::{Problem, ProblemCode};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri, Version};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Names beside addresses and `localhost` that this server is known by, in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn new(names: &[String]) -> Hosts {
        Hosts(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    pub(crate) fn check(&self, uri: &Uri, version: Version, headers: &HeaderMap) -> Result<(), Problem> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (None, _) => None,
            (Some(host), None) => Some(host.to_str().map_err(|_| Problem::invalid("Host", "is no host"))?),
            (Some(_), Some(_)) => return Err(Problem::invalid("Host", "is given twice")),
        };
        // A target with an authority (HTTP/2, proxies) says it there, and what a `Host` says beside it must be good too.
        let target = uri.authority().map(http::uri::Authority::as_str);
        if host.is_none() && target.is_none() {
            if version == Version::HTTP_11 {
                return Err(Problem::invalid("Host", "is missing"));
            }
            return self.check_origin(None, headers);
        }
        for authority in host.into_iter().chain(target) {
            if !self.knows(host_of(authority)) {
                let shown: String = authority.chars().take(128).collect();
                let detail = format!("`{shown}` is no name of this server: `http_hosts` lists them");
                return Err(Problem::new(ProblemCode::Forbidden, detail));
            }
        }
        self.check_origin(target.or(host), headers)
    }

    fn check_origin(&self, own: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
        for origin in headers.get_all(ORIGIN) {
            let is_own = origin.to_str().is_ok_and(|origin| self.is_own(origin, own));
            if !is_own {
                return Err(Problem::new(ProblemCode::Forbidden, "a page of another origin may not ask here"));
            }
        }
        Ok(())
    }

    fn is_own(&self, origin: &str, own: Option<&str>) -> bool {
        let lower = origin.to_ascii_lowercase();
        let (authority, port) = if let Some(authority) = lower.strip_prefix("http://") {
            (authority, ":80")
        } else if let Some(authority) = lower.strip_prefix("https://") {
            (authority, ":443")
        } else {
            return false;
        };
        if self.0.iter().any(|name| name == host_of(authority)) {
            return true;
        }
        let bare = |text: &str| text.strip_suffix(port).unwrap_or(text).to_owned();
        own.is_some_and(|own| bare(authority) == bare(&own.to_ascii_lowercase()))
    }

    fn knows(&self, host: &str) -> bool {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_address =
            inner.map_or_else(|| host.parse::<Ipv4Addr>().is_ok(), |inner| inner.parse::<Ipv6Addr>().is_ok());
        is_address
            || host.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

/// The host of an authority, without its port. What is no authority comes to something that is no known host.
fn host_of(authority: &str) -> &str {
    let end = if authority.starts_with('[') {
        authority.find(']').map_or(0, |at| at + 1)
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let is_port =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    if is_port { host } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, host: &str, origin: &str) -> Result<(), ProblemCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in [(HOST, host), (ORIGIN, origin)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().expect("a value"));
            }
        }
        let hosts = Hosts::new(&["Shop.example".to_owned()]);
        let uri = target.parse().expect("a target");
        hosts.check(&uri, Version::HTTP_11, &headers).map_err(|problem| problem.code())
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_known_and_no_other() {
        for good in [
            "127.0.0.1:7080",
            "127.0.0.1",
            "[::1]:7080",
            "[::1]",
            "10.1.2.3:80",
            "localhost:7080",
            "LocalHost",
            "shop.example",
            "SHOP.example:443",
        ] {
            assert_eq!(check("/", good, ""), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1:80@evil",
            "[::1",
            "::1",
            "user@localhost",
            "localhost:8o",
            "0x7f.1",
            "2130706433",
            "localhost.",
        ] {
            assert_eq!(check("/", bad, ""), Err(ProblemCode::Forbidden), "{bad}");
        }
        assert_eq!(check("/", "", ""), Err(ProblemCode::Invalid));
        assert_eq!(check("http://evil.example/", "localhost", ""), Err(ProblemCode::Forbidden));
        assert_eq!(check("http://localhost/", "evil.example", ""), Err(ProblemCode::Forbidden));
    }

    #[test]
    fn only_pages_of_this_very_server_or_of_a_configured_name_may_ask() {
        let own = "127.0.0.1:7080";
        for good in
            ["http://127.0.0.1:7080", "https://127.0.0.1:7080", "https://shop.example", "http://shop.example:81"]
        {
            assert_eq!(check("/", own, good), Ok(()), "{good}");
        }
        for bad in [
            "null",
            "http://127.0.0.1:7081",
            "http://localhost:7080",
            "http://evil.example",
            "file://",
            "http://127.0.0.1",
            "http://127.0.0.1:7080.evil.example",
        ] {
            assert_eq!(check("/", own, bad), Err(ProblemCode::Forbidden), "{bad}");
        }
        assert_eq!(check("/", "127.0.0.1", "http://127.0.0.1:80"), Ok(()));
    }
}
