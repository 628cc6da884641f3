//! Compression of answers that are worth it, for whoever accepts it. Long ones are packed on a thread of their own, so
//! that nobody else waits for it.

use crate::body::{Body, Memory};
use crate::caps;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue, Response};
use std::io::Write as _;

/// Whether the request takes gzip.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    for value in headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for part in value.split(',') {
            let mut words = part.split(';').map(str::trim);
            let coding = words.next().unwrap_or_default();
            let weight = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
            let is_wanted = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
            if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
                named = Some(is_wanted);
            } else if coding == "*" {
                any = Some(is_wanted);
            }
        }
    }
    named.or(any).unwrap_or(false)
}

pub(crate) async fn pack(response: Response<Body>, gzip: bool, memory: &Memory) -> Response<Body> {
    let length = response.body().bytes().map_or(0, Bytes::len);
    if length < caps::GZIP_BYTES_MIN {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let Some(bytes) = body.bytes().filter(|_| gzip).cloned() else {
        return Response::from_parts(head, body);
    };
    let packed = if length < caps::GZIP_BYTES_BESIDE {
        Some(packed(&bytes))
    } else {
        tokio::task::spawn_blocking(move || packed(&bytes)).await.ok()
    };
    // Without memory for it, it leaves as it is.
    let Some((packed, kept)) = packed.and_then(|packed| memory.take(packed.len()).ok().map(|kept| (packed, kept)))
    else {
        return Response::from_parts(head, body);
    };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let mut body = Body::full(packed);
    body.keep(kept);
    Response::from_parts(head, body)
}

fn packed(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).expect("memory takes what is written");
    encoder.finish().expect("memory takes what is written").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_accepted_and_not_refused() {
        let check = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(text));
            accepts_gzip(&headers)
        };
        for good in ["gzip", "br, gzip;q=0.5", "*", "GZIP", "deflate , x-gzip"] {
            assert!(check(good), "{good}");
        }
        for bad in ["", "br", "gzip;q=0", "identity", "*;q=0", "gzip;q=0.0, *", "gzip;q=x", "*, gzip;q=0"] {
            assert!(!check(bad), "{bad}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
