//! The connections, by token. A token names a place and the generation that lives there, so that an event that comes
//! late finds nobody instead of somebody else. Places are reused; a connection never moves in memory.

use crate::client::Client;
use mio::Token;

#[derive(Debug, Default)]
pub(crate) struct Clients {
    places: Vec<Place>,
    free: Vec<u32>,
    living: usize,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    client: Option<Box<Client>>,
}

/// Tokens from here on belong to listeners and the like.
pub(crate) const TOKENS_RESERVED: usize = usize::MAX - 1_024;

impl Clients {
    pub(crate) const fn len(&self) -> usize {
        self.living
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.living == 0
    }

    /// The token that the next `insert` will give.
    pub(crate) fn next_token(&self) -> Token {
        let index = self.free.last().copied().unwrap_or(self.places.len() as u32);
        let generation = self.places.get(index as usize).map_or(0, |place| place.generation);
        token(generation, index)
    }

    pub(crate) fn insert(&mut self, client: Box<Client>) -> Token {
        let token = self.next_token();
        let index = self.free.pop().map_or(self.places.len(), |index| index as usize);
        if index == self.places.len() {
            self.places.push(Place::default());
        }
        self.places[index].client = Some(client);
        self.living += 1;
        token
    }

    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut Client> {
        self.place(token)?.client.as_deref_mut()
    }

    /// Takes a connection out for its turn; `put` brings it back, `forget` ends it.
    pub(crate) fn take(&mut self, token: Token) -> Option<Box<Client>> {
        self.place(token)?.client.take()
    }

    pub(crate) fn put(&mut self, token: Token, client: Box<Client>) {
        if let Some(place) = self.place(token) {
            place.client = Some(client);
        }
    }

    /// The place of a connection that was taken is free again.
    pub(crate) fn forget(&mut self, token: Token) {
        if let Some(place) = self.place(token) {
            // One bit less than there are, so that no token reaches the reserved ones.
            place.generation = (place.generation + 1) & (u32::MAX >> 1);
            place.client = None;
            self.free.push(token.0 as u32);
            self.living -= 1;
        }
    }

    /// All that are in their place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().filter_map(|place| place.client.as_deref())
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        let living = self.places.iter().enumerate().filter(|(_, place)| place.client.is_some());
        living.map(|(index, place)| token(place.generation, index as u32)).collect()
    }

    fn place(&mut self, token: Token) -> Option<&mut Place> {
        let (generation, index) = ((token.0 >> 32) as u32, token.0 as u32);
        self.places.get_mut(index as usize).filter(|place| place.generation == generation)
    }
}

const fn token(generation: u32, index: u32) -> Token {
    Token(((generation as usize) << 32) | index as usize)
}
