//! The timeline: what was read, gathered by the life of each shadow copy set.
//!
//! A lifecycle is everything from the first question about a share to the end of the set that came
//! of it. Calls that name a set belong to its lifecycle; the others to the one that their client
//! is in. What cannot be told apart by the traffic stands where it happened.

use crate::flow::{Answer, Event, Exchange, Request};
use crate::oracle::{Loss, Moment, weight};
use fsrvp_wire::fsrvp::{Call, Context, Opnum, ShadowCopySetId};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How many events are kept before they have to be printed.
const KEPT_MAX: usize = 4096;

/// How many bytes of parameters are kept before the same.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// How many lifecycles are remembered for what may still come; then all are let go.
const REMEMBERED_MAX: usize = 4096;

/// A server and one of its clients, which may use several connections.
type Pair = (SocketAddr, IpAddr);

/// Where an exchange is found again: connection, first frame, call id.
type Place = (u64, u64, u32);

/// A line of a lifecycle.
pub(super) enum Row {
    /// An event, and what was known around it where it is an exchange.
    Read {
        event: Event,
        moment: Option<Moment>,
    },
    /// The server let go of the set without a call for it.
    Lost(Loss),
}

impl Row {
    /// Where it stands among the others; at the end where no frame is known behind it.
    fn frame(&self) -> u64 {
        let first = |frames: &[u64]| frames.first().copied().unwrap_or(0);
        match self {
            Row::Read { event, .. } => match event {
                Event::Exchange(exchange) => first(&exchange.request_evidence.frames),
                Event::Gap(gap) => gap.frames.0,
                Event::BadSignature(found) => first(&found.evidence.frames),
            },
            Row::Lost(loss) => loss.frame.unwrap_or(u64::MAX),
        }
    }
}

/// When the three calls around the freeze came, and when the last two of them were answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Freeze {
    /// PrepareShadowCopySet was asked.
    pub(super) prepare: Option<Duration>,
    /// CommitShadowCopySet was asked.
    pub(super) commit: Option<Duration>,
    /// CommitShadowCopySet returned ZERO.
    pub(super) committed: Option<Duration>,
    /// ExposeShadowCopySet returned ZERO.
    pub(super) exposed: Option<Duration>,
}

/// What is remembered of a lifecycle.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    set: Option<ShadowCopySetId>,
    context: Option<Context>,
    /// Whether SetContext was called in it.
    has_context: bool,
    /// Whether its set is recovered or gone.
    is_over: bool,
    was_printed: bool,
    freeze: Freeze,
}

/// One lifecycle, ready to be printed.
pub(super) struct Lifecycle {
    /// The set, where there is one.
    pub(super) set: Option<ShadowCopySetId>,
    /// The context that it was made with, where SetContext was seen.
    pub(super) context: Option<Context>,
    /// Whether its beginning was printed already.
    pub(super) is_continued: bool,
    /// The calls around the freeze, once the commit was answered.
    pub(super) freeze: Option<Freeze>,
    /// What happened, in order.
    pub(super) rows: Vec<Row>,
}

/// Gathers events into lifecycles.
#[derive(Default)]
pub(super) struct Timeline {
    kept: Vec<Event>,
    kept_bytes: usize,
    /// Lifecycles by number, in the order of their first event.
    lives: BTreeMap<usize, Memory>,
    next: usize,
    of_set: HashMap<(SocketAddr, ShadowCopySetId), usize>,
    current: HashMap<Pair, usize>,
}

impl Timeline {
    pub(super) fn push(&mut self, event: &Event) {
        self.kept_bytes += bytes(event);
        self.kept.push(event.clone());
    }

    /// Whether it keeps as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= KEPT_MAX || self.kept_bytes >= KEPT_BYTES_MAX
    }

    /// Everything that is kept, as far as it was judged, in the order of the lifecycles' first
    /// events. At the `end` of a capture nothing is remembered.
    /// `losses` are those that no call showed.
    pub(super) fn lifecycles(
        &mut self,
        moments: Vec<Moment>,
        losses: Vec<Loss>,
        end: bool,
    ) -> Vec<Lifecycle> {
        let mut moments: HashMap<Place, Moment> = moments
            .into_iter()
            .map(|moment| ((moment.stream, moment.frame, moment.call_id), moment))
            .collect();
        let judged = match end {
            true => self.kept.len(),
            false => self.judged(&moments),
        };
        let rest = self.kept.split_off(judged);
        let ready = std::mem::replace(&mut self.kept, rest);
        self.kept_bytes = self.kept.iter().map(bytes).sum();
        let mut rows: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        for event in ready {
            let mut moment = place(&event).and_then(|place| moments.remove(&place));
            let losses = moment
                .as_mut()
                .map(|moment| std::mem::take(&mut moment.losses));
            self.lose(losses.unwrap_or_default(), &mut rows);
            let number = self.number(&event, moment.as_ref());
            let row = Row::Read { event, moment };
            rows.entry(number).or_default().push(row);
        }
        self.lose(losses, &mut rows);
        let lifecycles = rows
            .into_iter()
            .map(|(number, rows)| self.lifecycle(number, rows))
            .collect();
        if end || self.lives.len() > REMEMBERED_MAX {
            *self = Timeline {
                kept: std::mem::take(&mut self.kept),
                kept_bytes: self.kept_bytes,
                ..Timeline::default()
            };
        }
        lifecycles
    }

    /// Puts each loss into the lifecycle of its set.
    fn lose(&mut self, losses: Vec<Loss>, rows: &mut BTreeMap<usize, Vec<Row>>) {
        for loss in losses {
            let Some(number) = self.of_set.get(&(loss.server, loss.set)) else {
                continue;
            };
            if let Some(life) = self.lives.get_mut(number) {
                life.is_over = true;
            }
            rows.entry(*number).or_default().push(Row::Lost(loss));
        }
    }

    /// How many of the kept events come before the first one that was not judged yet. One that is
    /// still open after as many others is not waited for.
    fn judged(&self, moments: &HashMap<Place, Moment>) -> usize {
        let is_judged =
            |event: &Event| place(event).is_none_or(|place| moments.contains_key(&place));
        let judged = self.kept.iter().take_while(|event| is_judged(event));
        judged.count().max(self.kept.len() / 2)
    }

    fn lifecycle(&mut self, number: usize, mut rows: Vec<Row>) -> Lifecycle {
        // What comes behind a loss is given late, when it is known that nothing fills it.
        rows.sort_by_key(Row::frame);
        let life = self.lives.entry(number).or_default();
        let is_continued = std::mem::replace(&mut life.was_printed, true);
        Lifecycle {
            set: life.set,
            context: life.context,
            is_continued,
            freeze: Some(life.freeze).filter(|freeze| freeze.committed.is_some()),
            rows,
        }
    }

    /// The lifecycle that an event belongs to.
    fn number(&mut self, event: &Event, moment: Option<&Moment>) -> usize {
        let (exchange, link) = match event {
            Event::Exchange(exchange) => (Some(exchange), &exchange.link),
            Event::Gap(gap) => (None, &gap.link),
            Event::BadSignature(found) => (None, &found.link),
        };
        let pair = (link.server, link.client.ip());
        let Some(exchange) = exchange else {
            return self.current_of(pair);
        };
        let number = self.number_of_call(exchange, moment, pair);
        self.learn(number, exchange, moment);
        number
    }

    fn number_of_call(
        &mut self,
        exchange: &Exchange,
        moment: Option<&Moment>,
        pair: Pair,
    ) -> usize {
        let current = self.current_of(pair);
        let life = self.lives.entry(current).or_default();
        let begins = match exchange.opnum {
            Opnum::SetContext => life.has_context || life.set.is_some(),
            Opnum::GetSupportedVersion | Opnum::IsPathSupported => life.is_over,
            _ => false,
        };
        let named = moment.and_then(|moment| moment.set.map(|set| (set, moment.may_exist)));
        let Some((set, may_exist)) = named else {
            return if begins { self.begin(pair) } else { current };
        };
        if let Some(known) = self.of_set.get(&(pair.0, set)) {
            return *known;
        }
        // An id that the server does not have is somebody's mistake in what they are doing.
        if !may_exist {
            return current;
        }
        let number = match life.set {
            Some(_) => self.begin(pair),
            None => current,
        };
        self.of_set.insert((pair.0, set), number);
        self.lives.entry(number).or_default().set = Some(set);
        number
    }

    fn current_of(&mut self, pair: Pair) -> usize {
        match self.current.get(&pair) {
            Some(number) => *number,
            None => self.begin(pair),
        }
    }

    fn begin(&mut self, pair: Pair) -> usize {
        let number = self.next;
        self.next += 1;
        self.lives.insert(number, Memory::default());
        self.current.insert(pair, number);
        number
    }

    fn learn(&mut self, number: usize, exchange: &Exchange, moment: Option<&Moment>) {
        let life = self.lives.entry(number).or_default();
        if let Some(moment) = moment
            && moment.set.is_some()
            && moment.set == life.set
        {
            life.is_over = moment.is_over;
        }
        let succeeded =
            matches!(&exchange.answer, Answer::Reply(reply) if reply.status().is_success());
        let (asked, answered) = (
            exchange.request_evidence.time,
            exchange.answer_evidence.time,
        );
        match &exchange.request {
            Request::Call(Call::SetContext(request)) => {
                life.has_context = true;
                if succeeded {
                    life.context = Some(request.context);
                }
            }
            Request::Call(Call::PrepareShadowCopySet(_)) if life.freeze.committed.is_none() => {
                life.freeze.prepare = Some(asked);
            }
            Request::Call(Call::CommitShadowCopySet(_)) if life.freeze.committed.is_none() => {
                life.freeze.commit.get_or_insert(asked);
                if succeeded {
                    life.freeze.committed = Some(answered);
                }
            }
            Request::Call(Call::ExposeShadowCopySet(_)) if succeeded => {
                life.freeze.exposed.get_or_insert(answered);
            }
            _ => {}
        }
    }
}

fn bytes(event: &Event) -> usize {
    match event {
        Event::Exchange(exchange) => weight(exchange),
        Event::Gap(_) | Event::BadSignature(_) => 0,
    }
}

fn place(event: &Event) -> Option<Place> {
    match event {
        Event::Exchange(exchange) => {
            let frame = exchange.request_evidence.frames.first().copied();
            Some((exchange.link.stream, frame.unwrap_or(0), exchange.call_id))
        }
        Event::Gap(_) | Event::BadSignature(_) => None,
    }
}
