//! Rows of lots' ends beside the lots: one that is missing lets a lot end late, one too many is read in vain for ever.

use crate::failure::Failure;
use crate::findings::Findings;
use std::collections::BTreeSet;
use sumun_core::Record;
use sumun_engine::{Holdings, LotEnd, Shelf};

#[derive(Debug)]
pub(super) struct Ends(BTreeSet<LotEnd>);

impl Ends {
    pub(super) fn read(holdings: &mut Holdings) -> Result<Ends, Failure> {
        Ok(Ends(holdings.ends()?))
    }

    /// Each record, once.
    pub(super) fn check(&mut self, shelf: Shelf, record: &Record<'_>, findings: &mut Findings) {
        let Record::Lot(lot) = record else { return };
        let Some(at) = lot.ends_at().filter(|_| shelf == Shelf::Lots) else { return };
        if !self.0.remove(&(at, lot.sku.to_owned(), lot.lot.to_owned())) {
            findings.add(|| format!("{:?}: its end is missing: it would end late", record.key()));
        }
    }

    /// What no lot accounts for.
    pub(super) fn finish(self, findings: &mut Findings) {
        for (at, sku, lot) in self.0 {
            findings.add(|| format!("an end of lot `{lot}` of `{sku}` stands at {at}, and no such lot ends then"));
        }
    }
}
