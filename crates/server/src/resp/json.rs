//! Whether a text is JSON that the contract takes as metadata: well formed, no deeper than `JSON_DEPTH_MAX`, no key
//! twice in one object (readers of JSON disagree about which one counts).

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use sumun_wire::limits::{JSON_DEPTH_MAX, METADATA_BYTES_MAX};

/// Why `text` cannot be metadata, or `None` when it can.
pub fn flaw(text: &str) -> Option<&'static str> {
    flaw_within(text, JSON_DEPTH_MAX)
}

/// The same where so many levels are left: those of the document around it count too.
pub fn flaw_within(text: &str, depth_left: usize) -> Option<&'static str> {
    if text.len() > METADATA_BYTES_MAX {
        return Some("must not be longer than 16 KiB");
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    match (Value { depth_left }).deserialize(&mut reader).and_then(|()| reader.end()) {
        Ok(()) => None,
        Err(error) if error.is_data() => Some("must be JSON of at most 32 levels without a key given twice"),
        Err(_) => Some("must be a JSON text"),
    }
}

#[derive(Clone, Copy)]
struct Value {
    /// Arrays and objects that may still be entered.
    depth_left: usize,
}

impl Value {
    fn inner<E: Error>(self) -> Result<Value, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Value { depth_left }),
            None => Err(E::custom("too deep")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while elements.next_element_seed(inner)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a key twice"));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::flaw;

    fn nested(levels: usize) -> String {
        format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn metadata_is_one_well_formed_text_within_its_limits() {
        for good in
            ["{}", "null", " 1 ", "-1.5e300", "\"\\u00e9\"", "[1,{\"a\":[]}]", "{\"a\":1,\"b\":{\"a\":2}}", "true"]
        {
            assert_eq!(flaw(good), None, "{good}");
        }
        for bad in ["", "{", "{} {}", "{a:1}", "01", "+1", "NaN", "[1,]", "\"\t\"", "\"\\x\"", "1e999", "'a'"] {
            assert_eq!(flaw(bad), Some("must be a JSON text"), "{bad}");
        }
        let shape = Some("must be JSON of at most 32 levels without a key given twice");
        assert_eq!(flaw("{\"a\":1,\"\\u0061\":2}"), shape);
        assert_eq!(flaw(&nested(32)), None);
        assert_eq!(flaw(&nested(33)), shape);
        assert!(flaw(&nested(8_000)).is_some());
        assert_eq!(flaw(&format!("\"{}\"", "x".repeat(16 * 1_024 - 2))), None);
        assert_eq!(flaw(&format!("\"{}\"", "x".repeat(16 * 1_024 - 1))), Some("must not be longer than 16 KiB"));
    }
}
