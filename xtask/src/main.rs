//! What developers run beside `cargo test`: the long proofs, and the house rules.

mod mutants;
mod sim;
mod tidy;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(about = "Long proofs and house rules of Sumun")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Simulate: random commands, faults and restarts on virtual time, judged after every step
    Sim(sim::Arguments),
    /// Check the house rules: who may know whom, how files begin
    Tidy,
    /// Make mistakes on purpose and see that the proofs find each of them
    Mutants(mutants::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Task::Sim(arguments) => sim::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Mutants(arguments) => mutants::run(&arguments),
    }
}
