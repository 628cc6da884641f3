//! What the verbs share: sending one command, and the arguments that several of them have.

use crate::client::Client;
use crate::config::ServerAddress;
use crate::failure::Failure;
use crate::show::{self, Form};
use clap::Args;
use std::str::FromStr;

#[derive(Args, Clone, Debug)]
pub(crate) struct Ask {
    #[command(flatten)]
    server: ServerAddress,
    #[command(flatten)]
    form: Form,
}

impl Ask {
    pub(crate) fn send(&self, words: &Words) -> Result<(), Failure> {
        let mut client = Client::connect_resp3(self.server.resolve()?)?;
        let value = client.call(&words.0)?;
        show::answer(&value, self.form, || format!("there is no {} `{}`", words.0[0].to_lowercase(), words.0[1]))
    }
}

/// A command being put together.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn new(verb: &str, key: &str) -> Words {
        Words(vec![verb.to_owned(), key.to_owned()])
    }
    pub(crate) fn word(mut self, word: impl ToString) -> Words {
        self.0.push(word.to_string());
        self
    }
    pub(crate) fn option(self, name: &str, value: Option<impl ToString>) -> Words {
        match value {
            Some(value) => self.word(name).word(value),
            None => self,
        }
    }
    pub(crate) fn lines(self, lines: &[LineArgument]) -> Words {
        let counted = self.word(lines.len());
        lines.iter().fold(counted, |words, line| words.word(&line.sku).word(line.quantity))
    }
    /// `LOT line lot`, `AT line location`.
    pub(crate) fn places(self, name: &str, places: &[PlaceArgument]) -> Words {
        places.iter().fold(self, |words, place| words.word(name).word(place.line).word(&place.name))
    }
}

/// `SKU=QUANTITY`. A sku may hold `=` itself: the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineArgument {
    sku: String,
    quantity: u64,
}

impl FromStr for LineArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<LineArgument, String> {
        let flaw = || "a line is SKU=QUANTITY, as in `sneaker=2`".to_owned();
        let (sku, quantity) = text.rsplit_once('=').ok_or_else(flaw)?;
        let quantity = quantity.parse().map_err(|_| flaw())?;
        Ok(LineArgument { sku: sku.to_owned(), quantity })
    }
}

/// `LINE=NAME`, lines counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlaceArgument {
    line: u64,
    name: String,
}

impl FromStr for PlaceArgument {
    type Err = String;
    fn from_str(text: &str) -> Result<PlaceArgument, String> {
        let flaw = || "this is LINE=NAME, lines counted from 1, as in `1=lot-7`".to_owned();
        let (line, name) = text.split_once('=').ok_or_else(flaw)?;
        let line = line.parse().map_err(|_| flaw())?;
        Ok(PlaceArgument { line, name: name.to_owned() })
    }
}

/// Of capture, release and return: which reservation, and of what lines a part.
#[derive(Args, Clone, Debug)]
pub(crate) struct PartArguments {
    /// Id of the reservation
    reservation: String,
    /// A part: SKU=QUANTITY …; without any, all that there is
    #[arg(value_name = "SKU=QUANTITY")]
    lines: Vec<LineArgument>,
    #[command(flatten)]
    ask: Ask,
}

impl PartArguments {
    pub(crate) fn send(&self, verb: &str, id: Option<&str>) -> Result<(), Failure> {
        if id.is_none() && !self.lines.is_empty() {
            return Err(Failure::Usage(
                "a part needs an id of its own: add --id ID, and keep it for retries".to_owned(),
            ));
        }
        let words = Words::new(verb, &self.reservation);
        let words = if self.lines.is_empty() { words } else { words.lines(&self.lines) };
        self.ask.send(&words.option("ID", id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_splits_at_its_last_equals_sign() {
        let check = |text: &str, sku: &str, quantity: u64| {
            assert_eq!(text.parse(), Ok(LineArgument { sku: sku.to_owned(), quantity }), "{text}");
        };
        check("a=1", "a", 1);
        check("a=b=12", "a=b", 12);
        for text in ["a", "a=", "a=x", "a=-1", "=", ""] {
            assert!(text.parse::<LineArgument>().is_err(), "{text}");
        }
    }

    #[test]
    fn words_come_in_the_order_of_the_contract() {
        let line = |text: &str| text.parse::<LineArgument>().expect("a line");
        let words = Words::new("RESERVE", "r1").word(1_000).lines(&[line("a=1"), line("b=2")]).option("FOR", Some("h"));
        let words = words.option("UNTIL", None::<u64>).places("LOT", &["2=x=y".parse().expect("a place")]);
        assert_eq!(words.0.join(" "), "RESERVE r1 1000 2 a 1 b 2 FOR h LOT 2 x=y");
    }
}
