//! What somebody meant who wrote a name that nobody knows.

/// The known name that `name` is most like, if any is like it.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKE: f64 = 0.8;
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(name);
    let rated = known.into_iter().map(|one| (strsim::jaro_winkler(&wanted, &plain(one)), one));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= LIKE).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_seen_and_another_word_is_not() {
        let known = ["retention", "log_retention", "memory", "max_clients", "http"];
        let check = |name: &str, wanted: Option<&str>| assert_eq!(nearest(name, known), wanted, "{name}");
        check("retentoin", Some("retention"));
        check("log-retention", Some("log_retention"));
        check("MaxClients", Some("max_clients"));
        check("htp", Some("http"));
        check("colour", None);
        check("", None);
    }
}
