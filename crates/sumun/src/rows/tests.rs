//! Rows as they are written, and what is said of those that cannot be taken.

use super::{Format, Rows};
use crate::scratch;
use std::io::{Seek, SeekFrom, Write};

/// All rows, one a line, or why the file cannot be read.
fn read(text: &[u8], format: Format) -> String {
    let mut file = scratch::nameless().expect("made");
    file.write_all(text).expect("written");
    file.seek(SeekFrom::Start(0)).expect("sought");
    let mut out = Vec::new();
    let mut rows = match Rows::open(file, "f", format) {
        Ok(rows) => rows,
        Err(failure) => return failure.to_string(),
    };
    loop {
        match rows.next() {
            Ok(None) => return out.join("\n"),
            Err(failure) => {
                out.push(failure.to_string());
                return out.join("\n");
            }
            Ok(Some(found)) => {
                let what = match found.what {
                    Ok(row) => {
                        let receipt = row.receipt.map(|r| {
                            let lot = r.lot.map(|lot| format!(" {lot} {:?} {:?}", r.expires_at, r.location));
                            format!("+{}{}", r.quantity, lot.unwrap_or_default())
                        });
                        let settings = row.settings.map(|s| {
                            let kind = s.kind.map_or("-", sumun_wire::Kind::word);
                            format!("{kind} {} {} {:?} {:?}", s.safety_stock, s.backorder_limit, s.limit, s.metadata)
                        });
                        let parts = [Some(row.sku), row.id, receipt, settings];
                        parts.into_iter().flatten().collect::<Vec<_>>().join("|")
                    }
                    Err(flaw) => {
                        let sets = if flaw.has_settings { " sets" } else { "" };
                        format!("! {} ({:?} {:?}{sets})", flaw.why, flaw.sku, flaw.id)
                    }
                };
                out.push(format!("{}@{} {what}", found.row, found.line));
            }
        }
    }
}

fn csv(text: &str, wanted: &str) {
    assert_eq!(read(text.as_bytes(), Format::Csv), wanted, "{text:?}");
}

fn flaw(text: &str, part: &str) {
    let found = read(text.as_bytes(), Format::Csv);
    assert!(found.contains(part), "{text:?}: {found}");
}

#[test]
fn cells_are_read_whatever_the_quoting_and_the_line_ends() {
    csv("sku,id,quantity\na,m1,5\nb,m2,9007199254740991\n", "1@2 a|m1|+5\n2@3 b|m2|+9007199254740991");
    csv("\u{feff}sku,id,quantity\r\na,m1,5\r\nb,m2,6", "1@2 a|m1|+5\n2@3 b|m2|+6");
    csv(
        "sku,metadata\na,\"{\"\"x\"\":\n\n1}\"\nb,1\n",
        "1@2 a|- 0 0 None Some(\"{\\\"x\\\":\\n\\n1}\")\n2@5 b|- 0 0 None Some(\"1\")",
    );
    csv("sku,id,quantity\r\n\r\n\r\na,m1,5\r\n", "1@4 a|m1|+5");
    csv("sku,id,quantity\n\n\na,m1,5\n\nb,m2,1", "1@4 a|m1|+5\n2@6 b|m2|+1");
    csv(
        "sku,id,quantity,lot,expires_at,location\na,m1,5,L,1970-01-01T00:00:01+00:00,seoul",
        "1@2 a|m1|+5 L Some(1000) Some(\"seoul\")",
    );
    csv("sku,kind,limit\na,points,2\n", "1@2 a|points 0 0 Some(2) None");
    csv("sku,safety_stock\na,0\n", "1@2 a|- 0 0 None None");
}

#[test]
fn a_file_that_cannot_be_what_it_says_is_refused_whole() {
    csv("", "f: it is empty; its first line names the columns");
    flaw("sku,quantty\n", "f:1: column 2: unknown column `quantty`; did you mean `quantity`?");
    flaw("sku;quantity\n", "cells are separated by commas");
    flaw("sku,colour\n", "the columns are id, sku, quantity, lot");
    flaw("sku,on_hand\n", "sumun item export --for-import");
    flaw("sku,id,sku\n", "f:1: column 3: `sku` is there twice");
    flaw("id,quantity\n", "there is no column `sku`");
    flaw("sku,id,quantity\na,m1,5\nb,\"m2,6\nc,m3,7\n", "no other that closes it");
    let long = format!("sku,id,quantity\na,m1,5\n\"{}", "x".repeat(400_000));
    flaw(&long, "f:3: a row of more than 262144 bytes begins here; is a quote not closed?");
    let utf16: Vec<u8> = "\u{feff}sku,id".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(&utf16, Format::Csv).contains("not UTF-8"));
}

#[test]
fn a_row_that_cannot_be_taken_says_why_and_the_others_go_on() {
    let row = |cells: &str, part: &str| {
        let head =
            "id,sku,quantity,lot,expires_at,location,kind,safety_stock,limit,limit_window_ms,allocation,metadata";
        let text = format!("{head}\n{cells}\nm2,b,1,,,,,,,,,\n");
        let found = read(text.as_bytes(), Format::Csv);
        assert!(found.contains(part) && found.contains("2@3 b|m2|+1"), "{cells}: {found}");
    };
    row("m1,a,1", "1@2 ! 3 cells where the header names 12 (None None sets)");
    row("m1,,1,,,,,,,,,", "`sku` is missing");
    row("m1,a b,1,,,,,,,,,", "`sku` must not hold white space");
    row(",a,1,,,,,,,,,", "`quantity` needs an `id`");
    row("*,a,1,,,,,,,,,", "`id` must not be `*`");
    row("m1,a,,,,,,,,,,", "neither `quantity` nor settings");
    row("m1,a,0,,,,,,,,,", "`quantity` must be 1 to 9007199254740991, not 0");
    row("m1,a,9007199254740992,,,,,,,,,", "not 9007199254740992");
    for number in ["01", "1.0", "1e3", "+1", "-1", " 1", "1 ", "99999999999999999999", "１"] {
        row(&format!("m1,a,{number},,,,,,,,,"), "`quantity` must be a plain whole number");
    }
    row("m1,a,,L,,,stock,,,,,", "`lot` needs `quantity` (Some(\"a\") Some(\"m1\") sets)");
    row("m1,a,1,,,seoul,,,,,,", "`location` needs `lot` (Some(\"a\") Some(\"m1\"))");
    row("m1,a,1,L,tomorrow,,,,,,,", "`expires_at` is RFC 3339");
    row("m1,a,,,,,pionts,,,,,", "`kind` must be `stock` or `points`, not `pionts`");
    row("m1,a,,,,,,,,5,,", "`limit_window_ms` needs `limit`");
    row("m1,a,,,,,,,,,lifo,", "`allocation` must be `fefo` or `fifo`");
    row("m1,a,,,,,,,,,,{", "`metadata` must be a JSON text");
    row(
        "m1,a,,,,,,,,,,\"{\"\"a\"\":1,\"\"a\"\":2}\"",
        "`metadata` must be JSON of at most 32 levels without a key given twice",
    );
    row("m1,a,1,L,,,points,,,,,", "`kind` points has one balance");
    let found = read(b"sku,id,quantity\n\xff,m1,1\nb,m2,1\n", Format::Csv);
    assert_eq!(found, "1@2 ! `sku` is not UTF-8 (None Some(\"m1\"))\n2@3 b|m2|+1");
}

#[test]
fn ndjson_is_as_strict() {
    let check = |text: &str, wanted: &str| {
        let found = read(text.as_bytes(), Format::Ndjson);
        assert!(found.contains(wanted), "{text:?}: {found}");
    };
    check(
        "\u{feff}{\"sku\":\"a\",\"id\":\"m\",\"quantity\":5,\"lot\":null}\r\n\n  \n{\"sku\":\"b\",\"kind\":\"points\"}",
        "1@1 a|m|+5\n2@4 b|points 0 0 None None",
    );
    check(
        "{\"sku\":\"a\",\"metadata\":{\"n\": 1.50, \"big\":123456789012345678901}}",
        "Some(\"{\\\"n\\\": 1.50, \\\"big\\\":123456789012345678901}\")",
    );
    check(
        "{\"sku\":\"a\",\"quantity\":\"5\"}",
        "column 25: `quantity`: invalid type: string \"5\", expected u64 (Some(\"a\") None)",
    );
    check("{\"sku\":\"a\",\"id\":\"m\",\"quantity\":1.0}", "`quantity`: invalid type: floating point");
    check("{\"sku\":\"a\",\"id\":\"m\",\"quantity\":18446744073709551616}", "`quantity`: invalid type");
    check("{\"sku\":\"a\",\"sku\":\"b\"}", "given twice: `sku`");
    check("{\"sku\":\"a\",\"quantity\":5", "EOF while parsing");
    check("{\"sku\":\"a\",\"kind\":\"stock\"} x", "trailing characters");
    check("[1]\n{\"sku\":\"b\",\"kind\":\"stock\"}", "2@2 b|stock");
    check(
        "{\"sku\":\"a\",\"kind\":\"stock\"}\n{\"sku\":\"a\",\"quantty\":1}",
        "f:2: unknown column `quantty`; did you mean `quantity`?",
    );
    let long = format!("{{\"sku\":\"{}\"}}\n{{\"sku\":\"b\",\"kind\":\"stock\"}}", "x".repeat(10 << 20));
    check(&long, "1@1 ! a line of more than 262144 bytes");
    check(&long, "2@2 b|stock");
    let found = read(b"{\"sku\":\"\xff\"}\n{\"sku\":\"b\",\"kind\":\"stock\"}", Format::Ndjson);
    assert!(found.contains("1@1 ! it is not UTF-8") && found.contains("2@2 b|stock"), "{found}");
}
