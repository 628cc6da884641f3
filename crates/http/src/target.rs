//! A request's target: path and query taken apart, percent-encoding undone strictly. `%2F` is part of a name, `+` is
//! itself, and whatever is unknown, twice or malformed is refused by its name.

use crate::caps;
use crate::problem::Problem;
use std::borrow::Cow;
use sumun_wire::limits::QUANTITY_MAX;

/// Undoes percent-encoding: each `%` has two hexadecimal digits behind it, and what comes out is UTF-8.
pub(crate) fn decode<'a>(text: &'a str, what: &str) -> Result<Cow<'a, str>, Problem> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let digit = |byte: Option<u8>| byte.and_then(|byte| (byte as char).to_digit(16));
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err(Problem::invalid(what, "`%` must be followed by two hexadecimal digits"));
        };
        out.push((high * 16 + low) as u8);
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| Problem::invalid(what, "must be UTF-8"))
}

/// The segments of a path; more than `SEGMENTS_MAX` are one too many.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    segments: [Cow<'a, str>; SEGMENTS_MAX + 1],
    count: usize,
}

pub(crate) const SEGMENTS_MAX: usize = 5;

impl<'a> Path<'a> {
    pub(crate) fn read(path: &'a str) -> Result<Path<'a>, Problem> {
        let mut read = Path { segments: [const { Cow::Borrowed("") }; SEGMENTS_MAX + 1], count: 0 };
        for segment in path.strip_prefix('/').unwrap_or(path).split('/').take(SEGMENTS_MAX + 1) {
            read.segments[read.count] = decode(segment, "path")?;
            read.count += 1;
        }
        Ok(read)
    }
    pub(crate) fn segments(&self) -> &[Cow<'a, str>] {
        &self.segments[..self.count]
    }
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// `once` may be given once each, `repeated` any number of times.
    pub fn read(raw: Option<&'a str>, once: &[&str], repeated: &[&str]) -> Result<Query<'a>, Problem> {
        let mut query = Query::default();
        for pair in raw.filter(|raw| !raw.is_empty()).into_iter().flat_map(|raw| raw.split('&')) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, "query")?;
            let value = decode(value, &name)?;
            let is_known = once.contains(&name.as_ref());
            if !is_known && !repeated.contains(&name.as_ref()) {
                let shown: String = name.chars().take(64).collect();
                return Err(Problem::invalid(shown, "is no query parameter of this path"));
            }
            if is_known && query.one(&name).is_some() {
                return Err(Problem::invalid(name, "is given twice"));
            }
            query.0.push((name, value));
        }
        Ok(query)
    }
    pub fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_ref())
    }
    /// A plain integer.
    pub fn integer(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.one(name) else { return Ok(None) };
        let is_plain = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'));
        let value: Option<u64> = if is_plain { text.parse().ok() } else { None };
        let value = value.filter(|value| *value <= QUANTITY_MAX);
        value.map(Some).ok_or_else(|| Problem::invalid(name, "must be a plain integer of at most 9007199254740991"))
    }
    /// How many of a page.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.integer("limit")? {
            None => Ok(caps::PAGE_LIMIT_DEFAULT),
            Some(limit @ 1..=1_000) => Ok(limit as usize),
            Some(_) => Err(Problem::invalid("limit", "must be 1 to 1000")),
        }
    }
}

const _: () = assert!(caps::PAGE_LIMIT_MAX == 1_000, "the words above say so");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_strictly_and_a_slash_may_be_part_of_one() {
        let read =
            |path| Path::read(path).map(|path| path.segments().iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(read("/v1/items/a%2Fb%20%EC%88%98"), Ok(vec!["v1".into(), "items".into(), "a/b 수".into()]));
        assert_eq!(read("/"), Ok(vec![String::new()]));
        assert_eq!(read("/a/b/c/d/e/f/g").map(|path| path.len()), Ok(SEGMENTS_MAX + 1));
        for bad in ["/%", "/%1", "/%zz", "/%ff", "/%c3%28", "/%+1", "/%ed%a0%80"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_known_given_once_and_well_formed() {
        let read = |raw| Query::read(Some(raw), &["limit", "after"], &["sku"]);
        let query = read("sku=a%26b&sku=c+d&limit=7").expect("good");
        assert_eq!(query.all("sku").collect::<Vec<_>>(), ["a&b", "c+d"]);
        assert_eq!((query.limit(), query.one("after")), (Ok(7), None));
        for (bad, field) in
            [("x=1", "x"), ("limit=1&limit=1", "limit"), ("a%ff=1", "query"), ("after=%", "after"), ("&", "")]
        {
            assert!(read(bad).expect_err(bad).detail().starts_with(&format!("INVALID {field}: ")), "{bad}");
        }
        for bad in [
            "limit=",
            "limit=0",
            "limit=1001",
            "limit=+1",
            "limit=01",
            "limit=1.0",
            "limit=-1",
            "limit=99999999999999999999",
        ] {
            assert!(read(bad).expect("known").limit().is_err(), "{bad}");
        }
    }
}
