//! Libraries of `shim/` that a server is started over: built with the machine's C compiler, once, and again when their
//! source has changed.

use super::binary;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The library made of `shim/<name>.c`.
///
/// # Panics
/// When it cannot be built.
pub fn library(name: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock();
    let source = binary::workspace().join("shim").join(name).with_extension("c");
    let library = binary::folder().join(format!("{name}-shim.so"));
    let changed = |path: &Path| fs::metadata(path).and_then(|seen| seen.modified()).ok();
    let written = changed(&source).unwrap_or_else(|| panic!("there is no {}", source.display()));
    if changed(&library).is_none_or(|built| built <= written) {
        build(&source, &library);
    }
    library
}

fn build(source: &Path, library: &Path) {
    // Under a name of its own first: another process may be building, or loading, the same.
    let own = library.with_extension(format!("{}.so", std::process::id()));
    let done = Command::new("cc")
        .args(["-std=c11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o"])
        .args([&own, source])
        .arg("-lpthread")
        .status();
    let built = done.as_ref().is_ok_and(|status| status.success());
    assert!(built, "{} cannot be built with `cc` (scripts/setup says how to get one): {done:?}", source.display());
    fs::rename(&own, library).expect("the target directory is writable");
}
