//! A mirror of a server's items and reservations, built from its events alone: `sumun-mirror FOLDER`. The folder has a file
//! with the server's address, and gets one with the tables. It ends when it finds a gap, and says which.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: sumun-mirror FOLDER");
        return ExitCode::from(2);
    };
    match sumun_proof::mirror::follow(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("sumun-mirror: {why}");
            ExitCode::from(1)
        }
    }
}
