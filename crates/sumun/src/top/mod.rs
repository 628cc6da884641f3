//! `sumun top`: what goes on in a server now, from its metrics, its readiness and its newest events, over HTTP.
//! It only reads. Never here: how a metric comes about.

mod metrics;
mod sample;
mod screen;
mod view;
mod words;

pub(crate) use sample::Sampler;
pub(crate) use screen::run;
pub(crate) use view::View;
pub(crate) use words::text;
