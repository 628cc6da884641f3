//! Keys as they stand in a table (format). A key that is empty or begins with 0 gets a 0 in front; all others stand as
//! they are. So the order is kept, no key is empty, and one beginning, 0 and 1, is left for a table's own row.
//! Never here: what keys mean.

use std::borrow::Cow;

/// The key of a table's own row, which names the last chunk that touched it.
pub(crate) const OWN_ROW: &[u8] = &[0, 1];

pub(crate) fn stored(key: &[u8]) -> Cow<'_, [u8]> {
    match key.first() {
        None | Some(0) => {
            let mut longer = Vec::with_capacity(key.len() + 1);
            longer.push(0);
            longer.extend_from_slice(key);
            Cow::Owned(longer)
        }
        Some(_) => Cow::Borrowed(key),
    }
}

/// The key as it was put; `None` for the table's own row.
pub(crate) fn given(stored: &[u8]) -> Option<&[u8]> {
    if stored == OWN_ROW { None } else { Some(stored.strip_prefix(&[0]).unwrap_or(stored)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_keys_keep_order_and_come_back() {
        let keys: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"\0\x01", b"\0\x01a", b"\0\xff", b"\x01", b"\x01\0", b"a"];
        let stored = keys.map(stored);
        assert!(stored.is_sorted());
        for (key, stored) in keys.iter().zip(&stored) {
            assert!(!stored.is_empty());
            assert_ne!(&**stored, OWN_ROW);
            assert_eq!(given(stored), Some(*key));
        }
        assert_eq!(given(OWN_ROW), None);
    }
}
