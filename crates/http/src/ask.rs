//! Questions on their way to the loop and answers on their way back. The loop is woken by the first question that it does
//! not know of, and decides while the others are still read; what it finds when it looks is a batch. On the way back one
//! task here hands on all that a step has answered.

use crate::problem::Problem;
use crate::requests::Wish;
use std::sync::{Arc, Mutex, PoisonError};
use sumun_server::{Handover, Question, Refused, Reply, Wants};
use sumun_trace::{Stage, Stages};
use sumun_wire::Trace;
use tokio::sync::{Notify, oneshot};

#[derive(Clone, Debug)]
pub(crate) struct Asker {
    handover: Handover,
    outbox: Arc<Outbox>,
}

#[derive(Debug, Default)]
struct Outbox {
    answered: Mutex<Vec<Answered>>,
    told: Notify,
}

#[derive(Debug)]
struct Answered {
    to: oneshot::Sender<Heard>,
    heard: Heard,
}

/// What was asked, what is answered, and when what came of it.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) wish: Wish,
    pub(crate) reply: Reply,
    pub(crate) stages: Option<Box<Stages>>,
}

/// In which trace something is asked.
#[derive(Debug, Default)]
pub(crate) struct Traced {
    /// The event that is made carries it.
    pub(crate) trace: Option<Trace>,
    /// There where the request has a span.
    pub(crate) stages: Option<Box<Stages>>,
}

struct Asked {
    wish: Wish,
    traced: Traced,
    to: oneshot::Sender<Heard>,
    outbox: Arc<Outbox>,
}

impl Traced {
    fn reach(&mut self, stage: Stage) {
        if let Some(stages) = &mut self.stages {
            stages.reach(stage);
        }
    }
}

impl Question for Asked {
    fn wants(&self) -> Wants<'_> {
        self.wish.wants()
    }
    fn bytes(&self) -> usize {
        self.wish.bytes()
    }
    fn trace(&self) -> Option<&Trace> {
        self.traced.trace.as_ref()
    }
    fn begins(&mut self) {
        self.traced.reach(Stage::Begun);
    }
    fn decided(&mut self) {
        self.traced.reach(Stage::Decided);
    }
    fn answer(mut self: Box<Self>, reply: Reply) {
        self.traced.reach(Stage::Proven);
        let Asked { wish, to, outbox, traced } = *self;
        let heard = Heard { wish, reply, stages: traced.stages };
        let mut answered = outbox.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = answered.is_empty();
        answered.push(Answered { to, heard });
        drop(answered);
        if was_empty {
            outbox.told.notify_one();
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Nothing was done; this says so.
    Refused(Problem),
    /// What was done could not be proven, or nobody decides any more: the connection closes.
    Lost,
}

impl Asker {
    pub(crate) fn new(handover: Handover) -> Asker {
        Asker { handover, outbox: Arc::default() }
    }

    /// Starts what carries answers back. Within a runtime.
    pub(crate) fn start(&self) {
        let outbox = Arc::clone(&self.outbox);
        tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                outbox.told.notified().await;
                std::mem::swap(&mut all, &mut *outbox.answered.lock().unwrap_or_else(PoisonError::into_inner));
                for Answered { to, heard } in all.drain(..) {
                    // Whoever asked may have gone.
                    let _ = to.send(heard);
                }
            }
        });
    }

    pub(crate) async fn ask(&self, wish: Wish) -> Result<Heard, Unanswered> {
        self.ask_traced(wish, Traced::default()).await
    }

    pub(crate) async fn ask_traced(&self, wish: Wish, mut traced: Traced) -> Result<Heard, Unanswered> {
        traced.reach(Stage::Asked);
        let (to, answer) = oneshot::channel();
        let question = Box::new(Asked { wish, traced, to, outbox: Arc::clone(&self.outbox) });
        self.handover.ask(question).map_err(|refused| match refused {
            Refused::Overloaded { retry_after_ms } => Unanswered::Refused(Problem::overloaded(retry_after_ms)),
            Refused::Gone => Unanswered::Lost,
        })?;
        answer.await.map_err(|_| Unanswered::Lost)
    }

    pub(crate) const fn handover(&self) -> &Handover {
        &self.handover
    }
}
