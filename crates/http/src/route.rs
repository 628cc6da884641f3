//! Which path and method means what: one table, which the router goes by and `/openapi.json` is written from.

use crate::problem::{Problem, ProblemCode};
use crate::target::Path;
use http::Method;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Operation {
    ListItems,
    PutItem,
    GetItem,
    DeleteItem,
    GetHolder,
    Receive,
    Adjust,
    History,
    Reserve,
    ListReservations,
    GetReservation,
    Capture,
    Release,
    Extend,
    Return,
    Events,
    Livez,
    Readyz,
    Metrics,
    OpenApi,
}

/// A path, as segments; those that begin with `{` are names.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: &'static str,
    segments: &'static [&'static str],
    pub(crate) operations: &'static [(Method, Operation)],
    allow: &'static str,
}

macro_rules! place {
    ($path:literal, [$($segment:literal),*], $allow:literal, $($method:ident $operation:ident),*) => {
        Place {
            path: $path,
            segments: &[$($segment),*],
            operations: &[$((Method::$method, Operation::$operation)),*],
            allow: $allow,
        }
    };
}

pub(crate) const PLACES: [Place; 17] = [
    place!("/v1/reservations", ["v1", "reservations"], "GET, HEAD, POST", GET ListReservations, POST Reserve),
    place!("/v1/reservations/{id}", ["v1", "reservations", "{id}"], "GET, HEAD", GET GetReservation),
    place!("/v1/reservations/{id}/capture", ["v1", "reservations", "{id}", "capture"], "POST", POST Capture),
    place!("/v1/reservations/{id}/release", ["v1", "reservations", "{id}", "release"], "POST", POST Release),
    place!("/v1/reservations/{id}/extend", ["v1", "reservations", "{id}", "extend"], "POST", POST Extend),
    place!("/v1/reservations/{id}/return", ["v1", "reservations", "{id}", "return"], "POST", POST Return),
    place!("/v1/items", ["v1", "items"], "GET, HEAD", GET ListItems),
    place!(
        "/v1/items/{sku}", ["v1", "items", "{sku}"], "DELETE, GET, HEAD, PUT",
        GET GetItem, PUT PutItem, DELETE DeleteItem
    ),
    place!(
        "/v1/items/{sku}/holders/{holder}", ["v1", "items", "{sku}", "holders", "{holder}"], "GET, HEAD",
        GET GetHolder
    ),
    place!("/v1/items/{sku}/receipts", ["v1", "items", "{sku}", "receipts"], "POST", POST Receive),
    place!("/v1/items/{sku}/adjustments", ["v1", "items", "{sku}", "adjustments"], "POST", POST Adjust),
    place!("/v1/items/{sku}/history", ["v1", "items", "{sku}", "history"], "GET, HEAD", GET History),
    place!("/v1/events", ["v1", "events"], "GET, HEAD", GET Events),
    place!("/livez", ["livez"], "GET, HEAD", GET Livez),
    place!("/readyz", ["readyz"], "GET, HEAD", GET Readyz),
    place!("/metrics", ["metrics"], "GET, HEAD", GET Metrics),
    place!("/openapi.json", ["openapi.json"], "GET, HEAD", GET OpenApi),
];

pub(crate) const OPERATIONS: usize = Operation::OpenApi as usize + 1;

impl Operation {
    pub(crate) fn of(path: &Path<'_>, method: &Method) -> Result<Operation, Problem> {
        let segments = path.segments();
        let is_it = |place: &&Place| {
            place.segments.len() == segments.len()
                && place
                    .segments
                    .iter()
                    .zip(segments)
                    .all(|(known, segment)| known.starts_with('{') || *known == segment)
        };
        let Some(place) = PLACES.iter().find(is_it) else {
            return Err(Problem::new(ProblemCode::NotFound, "there is no such path: /openapi.json has those that are"));
        };
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        let found = place.operations.iter().find(|(known, _)| known == method);
        found.map(|(_, operation)| *operation).ok_or_else(|| Problem::method_not_allowed(place.allow))
    }

    /// Whether it takes a body.
    pub(crate) const fn takes_body(self) -> bool {
        match self {
            Operation::PutItem
            | Operation::Receive
            | Operation::Adjust
            | Operation::Reserve
            | Operation::Capture
            | Operation::Release
            | Operation::Extend
            | Operation::Return => true,
            Operation::ListItems
            | Operation::GetItem
            | Operation::DeleteItem
            | Operation::GetHolder
            | Operation::History
            | Operation::ListReservations
            | Operation::GetReservation
            | Operation::Events
            | Operation::Livez
            | Operation::Readyz
            | Operation::Metrics
            | Operation::OpenApi => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_found_by_its_own_path_and_says_which_methods_it_has() {
        for place in &PLACES {
            let path = place.path.replace(['{', '}'], "");
            assert_eq!(place.path.trim_start_matches('/').split('/').collect::<Vec<_>>(), place.segments);
            let path = Path::read(&path).expect("a path");
            let mut allow: Vec<String> = place.operations.iter().map(|(method, _)| method.to_string()).collect();
            for (method, operation) in place.operations {
                assert_eq!(Operation::of(&path, method), Ok(*operation));
                if method == Method::GET {
                    allow.push("HEAD".to_owned());
                    assert_eq!(Operation::of(&path, &Method::HEAD), Ok(*operation));
                }
            }
            allow.sort();
            assert_eq!(allow.join(", "), place.allow);
            let flaw = Operation::of(&path, &Method::PATCH).expect_err("no such method");
            assert_eq!(flaw.code(), ProblemCode::MethodNotAllowed);
        }
        for unknown in
            ["/", "", "/v1", "/v1/items/a/b", "/v2/items", "/v1/items/a/receipts/b", "/console", "/v1/flows/f/runs"]
        {
            let found = Operation::of(&Path::read(unknown).expect("a path"), &Method::GET);
            assert_eq!(found.map_err(|problem| problem.code()), Err(ProblemCode::NotFound), "{unknown}");
        }
    }
}
