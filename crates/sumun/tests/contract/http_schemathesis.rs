//! schemathesis against the running server: what it makes of the interface's own description, one request at a time and
//! in chains. No 5xx, no answer that is not described, nothing accepted that the description forbids. The seed is fixed
//! and the time bounded; a failure prints the request to send again.

use super::clients::{installed, output};
use super::support::http::http_address;
use super::support::{Server, http_check};
use std::process::Command;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,negative_data_rejection,unsupported_method,allow_header_conformance,use_after_free,\
    ensure_resource_availability";
const SEED: &str = "20260701";

/// Runs some phases for so many seconds, and gives what schemathesis told.
fn examined(server: &Server, phases: &str, seconds: &str) -> String {
    let mut command = Command::new(installed("openapi/bin/st"));
    command.args(["run", &format!("http://{}/openapi.json", http_address(server)), "--no-color", "--seed", SEED]);
    command.args(["--phases", phases, "--max-time", seconds, "--checks", CHECKS, "--request-timeout", "10"]);
    command.args(["--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off"]);
    // It writes a cache where it stands.
    command.current_dir(server.data().with_file_name(""));
    output(&mut command, "schemathesis")
}

fn stocked() -> Server {
    let mut server = Server::start();
    http_check(
        &mut server,
        r#"
        PUT /v1/items/a {"limit": {"quantity": 1000, "window_ms": 60000}} -> 200|201
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1000, "lot": "L1", "expires_at": "2096-10-02T07:06:40Z"} -> 201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 1000} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "b", "quantity": 1}]} -> 201
        "#,
    );
    server
}

#[test]
fn no_single_request_is_answered_as_is_not_described() {
    let mut server = stocked();
    let told = examined(&server, "examples,coverage,fuzzing", "30");
    assert!(told.contains("✅ Coverage") && told.contains("✅ Fuzzing"), "{told}");
    http_check(&mut server, "GET /readyz -> 200\n GET /v1/items/b -> 200");
}

#[test]
fn no_chain_of_requests_is_answered_as_is_not_described() {
    let mut server = stocked();
    let told = examined(&server, "stateful", "30");
    // Without links between its operations a description has no chains, and this would test nothing.
    assert!(told.contains("✅ Stateful"), "{told}");
    http_check(&mut server, "GET /readyz -> 200\n GET /v1/items/b -> 200");
}
