//! A slab: values at stable indices, in chunks, so that growing copies nothing and a step never stalls on it.

use crate::caps::SLAB_CHUNK;
use alloc::vec::Vec;

#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    /// Freed indices, in chunks for the same reason.
    free: Vec<Vec<u32>>,
    len: usize,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Slab<T> {
        Slab { chunks: Vec::new(), free: Vec::new(), len: 0 }
    }
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
    /// Bytes that the values themselves take; what they own is counted by their owner.
    pub(crate) const fn bytes(&self) -> usize {
        self.len * size_of::<Option<T>>()
    }
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.len += 1;
        if let Some(top) = self.free.last_mut()
            && let Some(index) = top.pop()
        {
            if top.is_empty() {
                self.free.pop();
            }
            self.chunks[index as usize / SLAB_CHUNK][index as usize % SLAB_CHUNK] = Some(value);
            return index;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == SLAB_CHUNK) {
            self.chunks.push(Vec::with_capacity(SLAB_CHUNK));
        }
        let last = self.chunks.len() - 1;
        let index = last * SLAB_CHUNK + self.chunks[last].len();
        self.chunks[last].push(Some(value));
        u32::try_from(index).expect("a slab holds fewer than 2^32 values: memory ends before")
    }
    pub(crate) fn remove(&mut self, index: u32) -> T {
        let value = self.chunks[index as usize / SLAB_CHUNK][index as usize % SLAB_CHUNK].take();
        self.len -= 1;
        if self.free.last().is_none_or(|top| top.len() == SLAB_CHUNK) {
            self.free.push(Vec::new());
        }
        self.free.last_mut().expect("pushed above").push(index);
        value.expect("an index is given out while its slot is taken")
    }
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.chunks.get(index as usize / SLAB_CHUNK)?.get(index as usize % SLAB_CHUNK)?.as_ref()
    }
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.chunks.get_mut(index as usize / SLAB_CHUNK)?.get_mut(index as usize % SLAB_CHUNK)?.as_mut()
    }
    /// Every index below this may be taken.
    pub(crate) fn end(&self) -> u32 {
        self.chunks.last().map_or(0, |last| ((self.chunks.len() - 1) * SLAB_CHUNK + last.len()) as u32)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.end()).filter_map(|index| self.get(index).map(|value| (index, value)))
    }
}

impl<T> core::ops::Index<u32> for Slab<T> {
    type Output = T;
    fn index(&self, index: u32) -> &T {
        self.chunks[index as usize / SLAB_CHUNK][index as usize % SLAB_CHUNK]
            .as_ref()
            .expect("an index is given out while its slot is taken")
    }
}

impl<T> core::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.chunks[index as usize / SLAB_CHUNK][index as usize % SLAB_CHUNK]
            .as_mut()
            .expect("an index is given out while its slot is taken")
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn freed_slots_are_used_again_and_others_stay_where_they_are() {
        let mut slab = Slab::new();
        let indices: alloc::vec::Vec<u32> = (0..70_000u64).map(|value| slab.insert(value)).collect();
        for index in &indices[10..20] {
            slab.remove(*index);
        }
        assert_eq!(slab.len(), 69_990);
        assert_eq!(slab.get(15), None);
        let again = slab.insert(7);
        assert!((10..20).contains(&again));
        assert_eq!(slab[69_999], 69_999);
        assert_eq!(slab.iter().count(), 69_991);
    }
}
