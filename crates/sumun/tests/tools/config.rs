//! `sumun config check`: what it prints, and how it ends. Each kind of mistake stands in a table beside the code.

use super::support::Scratch;

#[test]
fn a_good_file_is_good_and_so_is_the_default_one() {
    let scratch = Scratch::new();
    let default = scratch.run(&["config"]).ends_with(0).out;
    scratch.file("sumun.toml", default);
    assert_eq!(scratch.run(&["config", "check"]).ends_with(0).out, "sumun.toml is good\n");
    scratch.file("other.toml", "memory = \"2GiB\"\n");
    let told = scratch.run(&["config", "check", "other.toml", "--json"]).ends_with(0).out;
    assert_eq!(told, "{\"file\":\"other.toml\",\"mistakes\":[],\"ok\":true}\n");
}

#[test]
fn every_mistake_is_told_with_its_place_and_serve_says_the_same() {
    let scratch = Scratch::new();
    scratch.file("sumun.toml", "# ours\nretentoin = \"7d\"\nmemory = \"512MB\"\n\n  grace = 5 # s\n");
    let ran = scratch.run(&["config", "check"]).ends_with(2);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.out);
    assert_eq!(lines[0], "sumun.toml:2:1: unknown key `retentoin`; did you mean `retention`?");
    assert!(lines[1].starts_with("sumun.toml:3:10: `memory`: a size is"), "{}", lines[1]);
    assert!(lines[2].starts_with("sumun.toml:5:11: `grace`: must be a duration in quotes"), "{}", lines[2]);
    assert_eq!(ran.err, "sumun: 3 mistakes\n");
    let serve = scratch.run(&["serve"]).ends_with(2);
    lines.iter().for_each(|line| assert!(serve.err.contains(line), "{}", serve.err));
    let told = scratch.run(&["config", "check", "--json"]).ends_with(2);
    let told: serde_json::Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!(told["mistakes"][1]["suggestion"], "\"512MiB\"");
    assert_eq!((told["ok"].as_bool(), told["mistakes"][2]["line"].as_u64()), (Some(false), Some(5)));
}

#[test]
fn a_file_that_cannot_be_read_is_wrong_usage() {
    let scratch = Scratch::new();
    assert!(scratch.run(&["config", "check"]).ends_with(2).err.contains("sumun.toml"));
    scratch.file("bad.toml", b"data = \"a\"\nhttp = \"\xff\"\n");
    assert!(scratch.run(&["config", "check", "bad.toml"]).ends_with(2).err.contains("line 2 is not UTF-8"));
}
