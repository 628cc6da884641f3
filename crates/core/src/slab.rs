//! A slab: values at stable indices, in chunks, so that growing copies nothing and a step never stalls on it. Chunks that
//! have emptied are given back, but for one: new values go to the first chunk that has room, so that others empty.
//!
//! Cost: an insert takes a place of the chunk at hand. A chunk that begins is touched page by page, as it fills; one
//! that is given back is freed as a whole.

use crate::caps::SLAB_CHUNK;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// The chunk at hand, then those that have room: some that hold something, and some that have none.
    current: usize,
    roomy: BTreeSet<usize>,
    empty: BTreeSet<usize>,
    /// The place that was freed last: it is the next to be taken.
    last_freed: Option<u32>,
    len: usize,
}

#[derive(Debug)]
struct Chunk<T> {
    places: Vec<Option<T>>,
    free: Vec<u16>,
}

impl<T> Chunk<T> {
    const fn new() -> Chunk<T> {
        Chunk { places: Vec::new(), free: Vec::new() }
    }
    /// A place that is free, with nothing in it.
    fn take_place(&mut self) -> Option<usize> {
        if let Some(place) = self.free.pop() {
            return Some(usize::from(place));
        }
        if self.places.len() == SLAB_CHUNK {
            return None;
        }
        if self.places.capacity() == 0 {
            self.places.reserve_exact(SLAB_CHUNK);
        }
        self.places.push(None);
        Some(self.places.len() - 1)
    }
}

const fn split(index: u32) -> (usize, usize) {
    (index as usize / SLAB_CHUNK, index as usize % SLAB_CHUNK)
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Slab<T> {
        Slab {
            chunks: Vec::new(),
            current: 0,
            roomy: BTreeSet::new(),
            empty: BTreeSet::new(),
            last_freed: None,
            len: 0,
        }
    }
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
    /// Bytes that the values themselves take; what they own is counted by their owner.
    pub(crate) const fn bytes(&self) -> usize {
        self.len * size_of::<Option<T>>()
    }
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let index = match self.last_freed.take() {
            Some(index) => index,
            None => self.free_place(),
        };
        self.len += 1;
        let (chunk, place) = split(index);
        self.chunks[chunk].places[place] = Some(value);
        index
    }
    fn free_place(&mut self) -> u32 {
        loop {
            if let Some(place) = self.chunks.get_mut(self.current).and_then(Chunk::take_place) {
                let index = self.current * SLAB_CHUNK + place;
                return u32::try_from(index).expect("a slab holds fewer than 2^32 values: memory ends before");
            }
            let next = self.roomy.pop_first().or_else(|| self.empty.pop_first());
            self.current = next.unwrap_or(self.chunks.len());
            if next.is_none() {
                self.chunks.push(Chunk::new());
            }
        }
    }
    pub(crate) fn remove(&mut self, index: u32) -> T {
        let (chunk, place) = split(index);
        let value = self.chunks[chunk].places[place].take();
        self.len -= 1;
        if let Some(before) = self.last_freed.replace(index) {
            self.put_back(before);
        }
        value.expect("an index is given out while its slot is taken")
    }
    /// A free place belongs to its chunk again, and a chunk that has nothing else is given back.
    fn put_back(&mut self, index: u32) {
        let (at, place) = split(index);
        let chunk = &mut self.chunks[at];
        chunk.free.push(place as u16);
        if chunk.free.len() < chunk.places.len() {
            if at != self.current {
                self.roomy.insert(at);
            }
            return;
        }
        self.roomy.remove(&at);
        if at == self.current {
            (chunk.places, chunk.free) = (core::mem::take(&mut chunk.places), Vec::new());
            chunk.places.clear();
        } else {
            *chunk = Chunk::new();
            self.empty.insert(at);
        }
    }
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, place) = split(index);
        self.chunks.get(chunk)?.places.get(place)?.as_ref()
    }
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let (chunk, place) = split(index);
        self.chunks.get_mut(chunk)?.places.get_mut(place)?.as_mut()
    }
    /// Every index below this may be taken.
    pub(crate) fn end(&self) -> u32 {
        self.chunks.last().map_or(0, |last| ((self.chunks.len() - 1) * SLAB_CHUNK + last.places.len()) as u32)
    }
    /// The first index from this one on that is not in a chunk without any.
    pub(crate) fn pass_empty(&self, index: u32) -> u32 {
        let (mut chunk, place) = split(index);
        if self.chunks.get(chunk).is_none_or(|chunk| place < chunk.places.len()) {
            return index;
        }
        chunk += 1;
        while self.chunks.get(chunk).is_some_and(|chunk| chunk.places.is_empty()) {
            chunk += 1;
        }
        (chunk * SLAB_CHUNK) as u32
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.chunks.iter().enumerate().flat_map(|(at, chunk)| {
            let places = chunk.places.iter().enumerate();
            places.filter_map(move |(place, value)| Some(((at * SLAB_CHUNK + place) as u32, value.as_ref()?)))
        })
    }
}

impl<T> core::ops::Index<u32> for Slab<T> {
    type Output = T;
    fn index(&self, index: u32) -> &T {
        self.get(index).expect("an index is given out while its slot is taken")
    }
}

impl<T> core::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.get_mut(index).expect("an index is given out while its slot is taken")
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;
    use crate::caps::SLAB_CHUNK;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    fn chunks_held<T>(slab: &Slab<T>) -> usize {
        slab.chunks.iter().filter(|chunk| chunk.places.capacity() > 0).count()
    }

    #[test]
    fn freed_slots_are_used_again_and_others_stay_where_they_are() {
        let mut slab = Slab::new();
        let indices: Vec<u32> = (0..70_000u64).map(|value| slab.insert(value)).collect();
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

    #[test]
    fn what_was_freed_last_is_taken_next() {
        let mut slab = Slab::new();
        let indices: Vec<u32> = (0..3 * SLAB_CHUNK as u64).map(|value| slab.insert(value)).collect();
        for index in [5, SLAB_CHUNK + 7, 2 * SLAB_CHUNK + 1, 6] {
            assert_eq!(slab.remove(indices[index]), index as u64);
            assert_eq!(slab.insert(1), indices[index]);
            slab.remove(indices[index]);
        }
    }

    #[test]
    fn chunks_that_have_emptied_are_given_back_and_taken_again() {
        let mut slab = Slab::new();
        let all: Vec<u32> = (0..20 * SLAB_CHUNK as u64).map(|value| slab.insert(value)).collect();
        assert_eq!(chunks_held(&slab), 20);
        all[SLAB_CHUNK..].iter().for_each(|index| assert_eq!(slab.remove(*index), u64::from(*index)));
        assert!(chunks_held(&slab) <= 3, "{} chunks", chunks_held(&slab));
        let next = slab.pass_empty(SLAB_CHUNK as u32);
        assert!(next >= slab.end() || slab.get(next).is_some() || slab.pass_empty(next) == next);
        (0..19 * SLAB_CHUNK as u64).for_each(|value| assert!((slab.insert(value) as usize) < 20 * SLAB_CHUNK));
        assert_eq!((chunks_held(&slab), slab.len(), slab.chunks.len()), (20, 20 * SLAB_CHUNK, 20));
    }

    #[test]
    fn it_holds_what_a_map_holds() {
        let (mut slab, mut map, mut seed) = (Slab::new(), BTreeMap::new(), 1u64);
        for round in 0..400_000u64 {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            // It grows and shrinks in turns, each over several chunks.
            let grows = round / 60_000 % 2 == 0;
            let index = (seed >> 33) as u32 % slab.end().max(1);
            if (seed >> 20) % 8 == 0 || !grows {
                if let Some((found, _)) = map.range(index..).next().map(|(at, value)| (*at, *value)) {
                    assert_eq!(slab.remove(found), map.remove(&found).expect("just found"));
                }
            } else {
                assert!(map.insert(slab.insert(round), round).is_none(), "a place is given out once");
            }
        }
        assert_eq!(slab.len(), map.len());
        assert!(slab.iter().eq(map.iter().map(|(at, value)| (*at, value))));
    }
}
