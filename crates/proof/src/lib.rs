//! What Sumun promises, tried on the real binary: power cuts, kills, races, odd clients.
//!
//! Never here: simulated time, or any part of the server itself.

pub mod audit;
pub mod crash;
pub mod crowd;
pub mod figures;
pub mod linear;
pub mod load;
pub mod mirror;
pub mod power;
pub mod support;
pub mod ways;
