//! The log as others read it: pages of events, following, an item's history. For HTTP, and for routes.
//!
//! ```text
//! let (feed, mut teller) = Feed::new(setup, &log.bounds());
//! teller.advance(&log.bounds())                      the shard, after each commit and trim
//! feed.run()                                         the tail, on a thread of its own
//! feed.page(after, &filter, size) -> Page            events behind a sequence, as JSON; `next` goes on
//! feed.history(sku, newest, before, size) -> Page    an item's events, newest first
//! feed.subscribe(filter, start) -> Subscription      set_waker, then: try_next -> Event | Wait | Behind | Ended
//! subscription.catch_up()                            after Behind, where it may block
//! ```
//!
//! # What it costs
//!
//! | who | pays |
//! |---|---|
//! | the shard | a few atomic stores a commit; one wake when the tail waits, which it does only while somebody follows |
//! | nobody follows | nothing: the tail sleeps and nothing is read |
//! | somebody follows | the tail reads each event once, on its thread: a read a commit, 0.05 µs an event to see whether it is wanted, 1 µs for one that is, whose text all of its followers share |
//! | a follower of one subject | nothing for events of others; a shared pointer for each of its own |
//! | a follower of all, or of types | all events are wanted; a look at each |
//! | one that stalls | its outbox (`caps`), nothing else; when it comes back it takes what it missed from the ring, or reads the log as pages do |
//! | a page | one place looked up (up to a megabyte of frame headers, a whole segment once), the frames it spans, 0.6 µs an event that it shows, 0.05 µs for one that its filter leaves out, of which it passes up to `SCAN_EVENTS_MAX` |
//! | a history | one such look-up an event that is in another frame |
//!
//! FEED-1: a follower gets each event that it wants once, in order. LOG-1: nothing is shown that is not durable.
//!
//! Never here: sockets, HTTP, async, clocks, threads of its own, state of the ledger, writing.

pub mod caps;
mod cloud_event;
mod error;
mod feed;
mod filter;
mod hub;
mod json;
mod page;
mod reader;
mod subscription;
mod told;

pub use cloud_event::CloudEvents;
pub use error::FeedError;
pub use feed::{Counts, Feed, Setup, Start, Teller, Turn};
pub use filter::Filter;
pub use hub::Entry;
pub use page::{Page, Size};
pub use subscription::{Next, Subscription};
