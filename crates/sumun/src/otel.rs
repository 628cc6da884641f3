//! Of OpenTelemetry's own variables those that its users expect to be read, below all else. What cannot be taken of them is
//! told and left aside: they are set for everything in a container, not for this server.

use crate::failure::Failure;
use crate::units::Ratio;
use sumun_trace::Endpoint;

/// Variables that were left aside, and why.
pub(crate) type Ignored = Vec<(&'static str, String)>;

pub(crate) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
pub(crate) const SERVICE: &str = "OTEL_SERVICE_NAME";
pub(crate) const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
pub(crate) const RATIO_DEFAULT: Ratio = Ratio(10_000);

pub(crate) fn collector(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    ignored: &mut Ignored,
) -> Result<Option<Endpoint>, Failure> {
    match text {
        "-" => Ok(None),
        "" => {
            let given = variable(ENDPOINT).filter(|given| !given.is_empty());
            let read = given.map(|given| given.parse().map_err(|error: sumun_trace::EndpointError| error.to_string()));
            Ok(read.transpose().unwrap_or_else(|why| {
                ignored.push((ENDPOINT, why));
                None
            }))
        }
        text => text.parse().map(Some).map_err(|error| Failure::Usage(format!("`otlp`: {error}"))),
    }
}

pub(crate) fn ratio(variable: &dyn Fn(&str) -> Option<String>, ignored: &mut Ignored) -> Ratio {
    let given = variable(RATIO).filter(|given| !given.is_empty());
    given.map_or(RATIO_DEFAULT, |given| {
        given.parse().unwrap_or_else(|error: crate::units::UnitError| {
            ignored.push((RATIO, error.to_string()));
            RATIO_DEFAULT
        })
    })
}
