//! An export, imported into an empty server, makes the same items; and an item may be called `import`.

use super::support::Server;
use serde_json::Value;

/// What has to be the same: settings, and what stands in each lot.
fn essence(record: &Value) -> Value {
    let names = ["sku", "kind", "on_hand", "safety_stock", "backorder_limit", "limit", "allocation", "metadata"];
    let mut essence: serde_json::Map<String, Value> =
        names.into_iter().map(|name| (name.to_owned(), record[name].clone())).collect();
    let lots = record["lots"].as_array().expect("lots").iter().map(|lot| {
        let names = ["lot", "location", "on_hand", "expires_at"];
        Value::Object(names.into_iter().map(|name| (name.to_owned(), lot[name].clone())).collect())
    });
    essence.insert("lots".to_owned(), lots.collect());
    Value::Object(essence)
}

fn essences(server: &Server) -> Vec<Value> {
    let out = server.export(&[]).ends_with(0).out;
    out.lines().map(|line| essence(&serde_json::from_str(line).expect("JSON"))).collect()
}

/// Lots, limits, metadata, points, places, reserved units, an expired lot, backorders, names that need quoting.
fn stocked() -> Server {
    let server = Server::start();
    let ask = |line: &str| drop(server.ask(line).ends_with(0));
    ask("configure plain");
    ask("receive plain 7 --id m1");
    ask(
        "configure shoe --safety 2 --limit 3 --window 7d --metadata {\"b\":[1,2.50,\"x,\\\"y\\\"\"],\"a\":123456789012345678901}",
    );
    ask("receive shoe 10 --id m1");
    ask("reserve r1 shoe=3 --ttl 1h --for ann");
    ask("reserve r2 shoe=1 --ttl 1h --for bob");
    ask("capture r2");
    ask("configure milk --allocation fifo");
    ask("receive milk 5 --id m1 --lot late --expires 2031-01-01T00:00:00Z --at seoul");
    ask("receive milk 6 --id m2 --lot early --expires 2030-01-01T00:00:00.001Z --at busan");
    ask("receive milk 2 --id m3 --lot forever");
    ask("receive milk 3 --id m4");
    ask("receive milk 4 --id m5 --lot gone --expires 2020-01-01T00:00:00Z");
    ask("configure calls --kind points --limit 5");
    ask("receive calls 100 --id m1");
    ask("configure later --backorder 9");
    ask("configure import --metadata null");
    ask("receive 수문,\"x\" 1 --id m1 --lot lot,\"1\"");
    ask("configure removed");
    server
}

#[test]
fn an_export_imported_into_an_empty_server_makes_the_same_items() {
    let server = stocked();
    let removed = server.scratch.run(&["item", "removed", "--server", &server.resp]).ends_with(0);
    assert!(removed.out.contains("removed"));
    // No command does it.
    assert!(server.http("DELETE", "/v1/items/removed").starts_with("HTTP/1.1 204"));
    let wanted = essences(&server);
    assert_eq!(wanted.len(), 7, "what was removed is left out");
    for (format, name) in [("ndjson", "rows.ndjson"), ("csv", "rows.csv")] {
        let rows = server.export(&["--for-import", "--format", format]).ends_with(0).out;
        let empty = Server::start();
        empty.scratch.file(name, &rows);
        let ran = empty.import(&[name, "--json"]).ends_with(0);
        assert!(ran.out.contains("\"refused\":0"), "{}", ran.out);
        assert_eq!(essences(&empty), wanted, "{format}");
        let before = empty.sequence();
        empty.import(&[name]).ends_with(0);
        assert_eq!(empty.sequence(), before, "{format}: again changes nothing");
        // What went round once goes round again.
        let again = empty.export(&["--for-import", "--format", format]).ends_with(0).out;
        assert_eq!(again.lines().count(), rows.lines().count());
    }
}

#[test]
fn whole_records_are_those_of_http_and_csv_has_the_same() {
    let server = stocked();
    let lines = server.export(&["--prefix", "shoe"]).ends_with(0).out;
    assert_eq!(lines.lines().count(), 1);
    assert!(lines.contains("123456789012345678901") && lines.contains("2.50"), "numbers are as they were set: {lines}");
    assert_eq!(serde_json::from_str::<Value>(&lines).expect("JSON")["reserved"], 3);
    let table = server.export(&["--format", "csv"]).ends_with(0).out;
    let head = "sku,kind,on_hand,reserved,available,received,removed,returned,captured,expired,safety_stock,\
                backorder_limit,limit,limit_window_ms,allocation,metadata,lots,version,sequence";
    assert_eq!(table.lines().next(), Some(head));
    assert!(table.contains("\nshoe,stock,9,3,4,10,0,0,1,0,2,0,3,604800000,fefo,"), "{table}");
    // A whole record is no row, and is not taken for one.
    server.scratch.file("records.ndjson", &lines);
    assert!(server.import(&["records.ndjson"]).ends_with(2).err.contains("--for-import"));
}

#[test]
fn what_an_import_cannot_say_is_named() {
    let server = Server::start();
    server.ask("configure short --backorder 5").ends_with(0);
    server.ask("reserve r1 short=3 --ttl 1h").ends_with(0);
    server.ask("capture r1").ends_with(0);
    let ran = server.export(&["--for-import"]).ends_with(1);
    assert!(ran.err.contains("`short` has -3 on hand"), "{}", ran.err);
    assert_eq!(ran.out.trim(), "{\"sku\":\"short\",\"kind\":\"stock\",\"backorder_limit\":5,\"allocation\":\"fefo\"}");
    let nobody = server.scratch.run(&["item", "export", "--http", "127.0.0.1:1"]).ends_with(3);
    assert!(nobody.err.contains("no answer from 127.0.0.1:1") && nobody.out.is_empty(), "{}", nobody.err);
}

#[test]
fn an_item_may_be_called_as_a_command_is() {
    let server = stocked();
    let item = |words: &[&str]| server.scratch.run(&[&["item", "--server", &server.resp], words].concat());
    assert!(item(&["--", "import"]).ends_with(0).out.contains("import"));
    assert!(server.scratch.run(&["item", "plain", "--server", &server.resp]).ends_with(0).out.contains("on_hand"));
    item(&["--", "export"]).ends_with(1);
    server.scratch.run(&["item"]).ends_with(2);
}
