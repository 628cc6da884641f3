//! Where the server's binary is, and the mirror's: beside whoever asks, built from the sources as they are now.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("crates/proof lies two below the root").to_path_buf()
}

/// The folder of this build's binaries: `target/debug` or its like, for tests (in `deps` below it) and for `xtask`.
pub fn folder() -> PathBuf {
    let own = std::env::current_exe().expect("Linux says which file runs");
    let folder = own.parent().expect("a file lies in a folder");
    let above = || folder.parent().expect("`deps` lies in a folder").to_path_buf();
    if folder.ends_with("deps") { above() } else { folder.to_path_buf() }
}

/// The path of `sumun`. It is built when it is missing or older than a source of it, so that nobody proves yesterday's
/// server; a run of all tests has built it already, and then nothing is done.
///
/// # Panics
/// When it cannot be built: a proof without its server has failed.
pub fn sumun() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| fresh("sumun", "sumun", "crates/sumun/src/main.rs")).clone()
}

/// The path of `sumun-mirror`, as [`sumun`].
///
/// # Panics
/// When it cannot be built.
pub fn mirror() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| fresh("sumun-proof", "sumun-mirror", "crates/proof/src/bin/mirror.rs")).clone()
}

fn fresh(package: &str, name: &str, main: &str) -> PathBuf {
    let path = folder().join(name);
    if !is_fresh(&path, main) {
        build(package, name);
    }
    assert!(path.is_file(), "cargo built {name}, and it is not at {}", path.display());
    path
}

/// Whether it was built from this tree, and no source is newer. Cargo names the sources of what it was told to build; a
/// binary that tests needed has no such list, and then all of the tree's are looked at.
fn is_fresh(binary: &Path, main: &str) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|seen| seen.modified()).ok();
    let Some(built) = changed(binary) else { return false };
    let older = |source: &Path| changed(source).is_some_and(|at: SystemTime| at <= built);
    let Ok(list) = fs::read_to_string(binary.with_extension("d")) else {
        // Two trees may share a target directory.
        let is_ours = binary.starts_with(workspace());
        return is_ours && older(&workspace().join("Cargo.lock")) && all_below(&workspace().join("crates"), &older);
    };
    let Some((_, sources)) = list.split_once(": ") else { return false };
    let main = workspace().join(main);
    let mut sources = sources.split_whitespace().map(Path::new);
    sources.clone().any(|source| source == main) && sources.all(older)
}

fn all_below(folder: &Path, holds: &dyn Fn(&Path) -> bool) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries
        .flatten()
        .map(|entry| entry.path())
        .all(|path| if path.is_dir() { all_below(&path, holds) } else { holds(&path) })
}

fn build(package: &str, binary: &str) {
    let folder = folder();
    let name = folder.file_name().and_then(|name| name.to_str()).expect("a profile's folder has a name");
    let profile = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["build", "--quiet", "--package", package, "--bin", binary, "--profile", profile, "--target-dir"])
        .arg(folder.parent().expect("a profile's folder lies in a target directory"))
        .current_dir(workspace())
        .status();
    assert!(done.as_ref().is_ok_and(|done| done.success()), "{binary} cannot be built for its proofs: {done:?}");
}
