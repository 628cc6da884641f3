//! What developers run beside `cargo test`: the long proofs, and the house rules.

mod bounds;
mod crash;
mod figures;
mod fuzz;
mod linear;
mod mirror;
mod mutants;
mod power;
mod sim;
mod tidy;
mod ways;

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
    /// Kill the real server under load, again and again, and audit what it acknowledged
    Crash(crash::Arguments),
    /// Show what a step does at most with 10 million open reservations, and what each of them takes
    Bounds(bounds::Arguments),
    /// Cut the power under the real server, again and again, and audit what it acknowledged
    Power(power::Arguments),
    /// Record histories of concurrent clients, a kill in each, and judge whether they are linearizable
    Linear(linear::Arguments),
    /// Send random histories by RESP2, RESP3 and HTTP at once, and judge them by one model
    Ways(ways::Arguments),
    /// Follow the events of a server under load into a mirror, kill both again and again, and compare
    Mirror(mirror::Arguments),
    /// Fuzz what reads bytes from outside, guided by coverage
    Fuzz(fuzz::Arguments),
    /// Measure on the released server what the store promises: memory, restart, storms, disk
    Figures(figures::Arguments),
    /// Check the house rules: who may know whom, how files begin
    Tidy,
    /// Make mistakes on purpose and see that the proofs find each of them
    Mutants(mutants::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Task::Sim(arguments) => sim::run(&arguments),
        Task::Crash(arguments) => crash::run(&arguments),
        Task::Bounds(arguments) => bounds::run(&arguments),
        Task::Power(arguments) => power::run(&arguments),
        Task::Linear(arguments) => linear::run(&arguments),
        Task::Ways(arguments) => ways::run(&arguments),
        Task::Mirror(arguments) => mirror::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
        Task::Figures(arguments) => figures::run(&arguments),
        Task::Tidy => tidy::run(),
        Task::Mutants(arguments) => mutants::run(&arguments),
    }
}
