//! JSON as the contract takes it, and no other: objects where objects are meant, integers that are exact, times of
//! RFC 3339, keys once, nothing that nobody knows. What only the ledger can judge (ranges, names) is left to it.
//!
//! Cost: one pass and a copy of each name; a text that is refused is read again, to say where.

use crate::caps::TOLD_CHARS_MAX;
use crate::problem::Problem;
use compact_str::CompactString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use sumun_server::resp::json;
use sumun_wire::limits::{JSON_DEPTH_MAX, LINES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX, QUANTITY_MAX};
use sumun_wire::{Allocation, Kind, Timestamp};

/// Reads a body.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice::<Object<T>>(bytes).map(|Object(body)| body).map_err(|_| explain::<T>(bytes))
}

/// Reads it again, keeping note of where: that costs, and errors may.
#[cold]
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize::<_, Object<T>>(&mut reader) {
        Err(error) => error,
        Ok(_) => return Problem::invalid("body", "has something behind its end"),
    };
    // A name that nobody knows may be as long as the body.
    let short = |text: String| match text.char_indices().nth(TOLD_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    };
    let path = short(error.path().to_string());
    let why = short(error.inner().to_string());
    // Where it is a field that is too much, missing or twice, the path ends at the object around it.
    let quoted = why.split('`').nth(1);
    let names = ["unknown field `", "missing field `", "duplicate field `"];
    let field = match quoted.filter(|_| names.iter().any(|name| why.starts_with(name))) {
        Some(field) if path == "." || path.ends_with(field) => field.to_owned(),
        Some(field) => format!("{path}.{field}"),
        None if path == "." => "body".to_owned(),
        None => path,
    };
    Problem::invalid(field, why)
}

/// Of a JSON object, and not of an array of its values, which serde would take too.
#[derive(Clone, Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A name: what may stand in it the ledger judges.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text(pub(crate) CompactString);

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

pub(crate) fn text_schema() -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": NAME_BYTES_MAX,
        "description": "1–128 bytes of UTF-8 without white space, control, format or unassigned characters, not `.` or `..`"
    })
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        text_schema()
    }
}

/// A whole number, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed(pub(crate) i64);

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain integer of at most 9007199254740991")
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<i64, E> {
        if value > QUANTITY_MAX { Err(E::invalid_value(Unexpected::Unsigned(value), &self)) } else { Ok(value as i64) }
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<i64, E> {
        if value.unsigned_abs() > QUANTITY_MAX {
            return Err(E::invalid_value(Unexpected::Signed(value), &self));
        }
        Ok(value)
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Signed, D::Error> {
        deserializer.deserialize_any(Whole).map(Signed)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        let value = deserializer.deserialize_any(Whole)?;
        u64::try_from(value).map(Count).map_err(|_| D::Error::custom("must not be negative"))
    }
}

impl JsonSchema for Count {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": QUANTITY_MAX })
    }
}

impl JsonSchema for Signed {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Signed".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": -(QUANTITY_MAX as i64), "maximum": QUANTITY_MAX })
    }
}

/// RFC 3339, any offset, at most milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        struct Moment;
        impl Visitor<'_> for Moment {
            type Value = Time;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time of RFC 3339 with at most milliseconds, as in `2026-05-01T12:00:00.000Z`")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                let found = Timestamp::from_rfc3339(text).map(Time);
                found.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Moment)
    }
}

impl JsonSchema for Time {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// A word of a few, as a plain string.
macro_rules! words {
    ($name:ident, $of:ty, $all:expr, $expected:literal) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $of);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                struct Word;
                impl Visitor<'_> for Word {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let found = $all.into_iter().find(|one| one.word() == text).map($name);
                        found.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Word)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let words = $all.map(|one| one.word());
                json_schema!({ "type": "string", "enum": words })
            }
        }
    };
}

words!(KindWord, Kind, [Kind::Stock, Kind::Points], "`stock` or `points`");
words!(AllocationWord, Allocation, [Allocation::Fefo, Allocation::Fifo], "`fefo` or `fifo`");

/// Lines of a request, 1 to 64: no more are read.
#[derive(Clone, Debug)]
pub(crate) struct Lines<T>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lines<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lines<T>, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Lines<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of lines")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Lines<T>, A::Error> {
                let mut lines = Vec::new();
                while let Some(Object(line)) = elements.next_element::<Object<T>>()? {
                    if lines.len() == LINES_MAX {
                        return Err(A::Error::custom("must be 1 to 64"));
                    }
                    lines.push(line);
                }
                Ok(Lines(lines))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Lines<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("LinesOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let line = generator.subschema_for::<T>();
        json_schema!({ "type": "array", "items": line, "minItems": 1, "maxItems": LINES_MAX })
    }
}

/// Any JSON, kept as its text.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Metadata(Box<RawValue>);

impl Metadata {
    pub(crate) fn text(&self) -> &str {
        self.0.get()
    }
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let levels = JSON_DEPTH_MAX - 1;
        json::flaw_within(self.text(), levels).map_or(Ok(()), |why| Err(Problem::invalid("metadata", why)))
    }
}

impl JsonSchema for Metadata {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Metadata".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": format!("Any JSON of at most {METADATA_BYTES_MAX} bytes, 32 levels with the body around it, no key twice")
        })
    }
}
