//! How a lifecycle comes about.

use super::arguments;
use super::belief::{Belief, Progress};
use super::random::Random;
use super::{Stage, TOPIC, sound};
use crate::case::{
    Action, Advance, CallTemplate, Case, ClientSpec, FileTemplate, FileVerb, IdRef, MAIN_CLIENT,
    Place, RpcLevel, Step, User,
};
use fsrvp_wire::fsrvp::{Context, Opnum};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The fewest and the most moves of a lifecycle.
const MOVES: (usize, usize) = (8, 26);
/// `TimeOutInMilliseconds` where it does not matter.
const TIMEOUT_MS: u32 = 60_000;
/// The file that is written now and then.
const FILE: &str = "lifecycle.txt";

/// The `n`th lifecycle of a run with this seed.
#[must_use]
pub fn lifecycle(seed: u64, n: u64, stage: &Stage) -> Case {
    let mut author = Author {
        random: Random::of(seed, n),
        belief: Belief::default(),
        stage,
        clients: BTreeMap::new(),
        steps: Vec::new(),
        made: 0,
    };
    author.cast();
    author.write();
    let (clients, steps) = (author.clients, author.steps);
    sound(Case {
        id: format!("{TOPIC}/{seed}-{n}"),
        title: format!("Lifecycle {n} of seed {seed}"),
        why: None,
        needs: BTreeSet::new(),
        clients,
        steps,
    })
}

struct Author<'s> {
    random: Random,
    belief: Belief,
    stage: &'s Stage,
    clients: BTreeMap<String, ClientSpec>,
    steps: Vec<Step>,
    /// How many ids were saved.
    made: usize,
}

/// What may be done next.
#[derive(Clone, Copy)]
enum Move {
    /// The next call of a client that goes on to the end.
    Forward,
    /// Any method.
    Any,
    Time,
    File,
    Connection,
    Raw,
    /// SetContext again and again.
    Insist,
}

impl Author<'_> {
    /// Who takes part: the ordinary client, and up to two that differ.
    fn cast(&mut self) {
        let others = self.random.weighted(&[(40, 0), (40, 1), (20, 2)]);
        for name in ["second", "third"].iter().take(others.unwrap_or(0)) {
            let spec = self.spec();
            self.clients.insert((*name).to_owned(), spec);
        }
        if self.random.percent(25) {
            let main = ClientSpec {
                rpc: Some(RpcLevel::Privacy),
                ..ClientSpec::default()
            };
            self.clients.insert(MAIN_CLIENT.to_owned(), main);
        }
    }

    fn spec(&mut self) -> ClientSpec {
        let plain = ClientSpec {
            user: User::Plain,
            ..ClientSpec::default()
        };
        let level = |rpc| ClientSpec {
            rpc: Some(rpc),
            ..ClientSpec::default()
        };
        let mut all = vec![ClientSpec::default(), level(RpcLevel::Privacy)];
        for weak in [RpcLevel::None, RpcLevel::Connect, RpcLevel::Packet] {
            all.push(level(weak));
        }
        if self.stage.plain_user {
            all.push(plain);
        }
        if self.stage.second_address && self.random.percent(60) {
            return ClientSpec {
                other_address: true,
                ..ClientSpec::default()
            };
        }
        self.random.one_of(&all).cloned().unwrap_or_default()
    }

    fn write(&mut self) {
        let moves = MOVES.0 + self.random.below(MOVES.1 - MOVES.0);
        let goals = [
            Progress::Gone,
            Progress::Started,
            Progress::Added,
            Progress::Committed,
            Progress::Exposed,
            Progress::Recovered,
            Progress::Recovered,
        ];
        let mut goal = self.random.one_of(&goals).copied();
        for _ in 0..moves {
            let reached = match goal {
                Some(Progress::Recovered) => self.has_recovered(),
                Some(goal) => self.belief.progress() >= goal,
                None => true,
            };
            let next = if !reached && self.random.percent(72) {
                Some(Move::Forward)
            } else {
                let weights = [
                    (7, Move::Forward),
                    (64, Move::Any),
                    (if self.stage.moves_clock { 13 } else { 0 }, Move::Time),
                    (4, Move::File),
                    (3, Move::Connection),
                    (4, Move::Raw),
                    (2, Move::Insist),
                ];
                self.random.weighted(&weights)
            };
            if reached && self.random.percent(8) {
                goal = self.random.one_of(&goals).copied();
            }
            self.go(next.unwrap_or(Move::Any));
        }
    }

    fn has_recovered(&self) -> bool {
        let mut sets = self.belief.sets.iter();
        sets.any(|set| set.progress == Progress::Recovered)
    }

    fn go(&mut self, next: Move) {
        match next {
            Move::Forward => self.forward(),
            Move::Any => self.any(),
            Move::Time => self.time(),
            Move::File => self.file(),
            Move::Connection => self.connection(),
            Move::Raw => self.raw(),
            Move::Insist => {
                for _ in 0..3 + self.random.below(6) {
                    self.set_context();
                }
            }
        }
    }

    /// The next call that leads on, by a client that may make it.
    fn forward(&mut self) {
        let client = self.holder();
        let Some(set) = self.belief.unfinished() else {
            // Now and then without a context: it must not have outlived what ended it.
            if self.belief.context.is_some() || self.random.percent(15) {
                let mut call = template(Opnum::StartShadowCopySet);
                call.client_id = arguments::client_id(&mut self.random);
                self.call(client, call);
            } else {
                self.set_context();
            }
            return;
        };
        let (id, progress) = (IdRef::Saved(set.name.clone()), set.progress);
        let copies = set.copies.len();
        let method = match progress {
            Progress::Started => Opnum::AddToShadowCopySet,
            Progress::Added => {
                let more = if copies < self.stage.stores.len() {
                    25
                } else {
                    0
                };
                let choice = [
                    (more, Opnum::AddToShadowCopySet),
                    (25, Opnum::PrepareShadowCopySet),
                    (50, Opnum::CommitShadowCopySet),
                ];
                self.random
                    .weighted(&choice)
                    .unwrap_or(Opnum::CommitShadowCopySet)
            }
            Progress::Committed => Opnum::ExposeShadowCopySet,
            _ => {
                let choice = [
                    (35, Opnum::GetShareMapping),
                    (65, Opnum::RecoveryCompleteShadowCopySet),
                ];
                self.random
                    .weighted(&choice)
                    .unwrap_or(Opnum::GetShareMapping)
            }
        };
        let mut call = template(method);
        call.set = id.clone();
        call.timeout_ms = arguments::timeout_ms(&mut self.random, self.stage);
        if method == Opnum::AddToShadowCopySet {
            let share = self.random.one_of(&self.stage.stores).copied();
            call.share = arguments::good_share(&mut self.random, share.unwrap_or("{share}"));
        } else if method == Opnum::GetShareMapping {
            (call.copy, call.share) =
                arguments::copy_and_share(&mut self.random, &self.belief, &id, self.stage);
        }
        self.call(client, call);
    }

    /// Any method with any arguments.
    fn any(&mut self) {
        let method = self.random.one_of(&Opnum::ALL).copied();
        let method = method.unwrap_or(Opnum::GetSupportedVersion);
        // These two end what others need: they come by themselves often enough.
        let ends = [Opnum::SetContext, Opnum::AbortShadowCopySet].contains(&method);
        if ends && self.random.percent(35) {
            return self.forward();
        }
        let mut call = template(method);
        call.context = {
            let valid = self.random.percent(65);
            arguments::context(&mut self.random, valid)
        };
        call.set = arguments::set_id(&mut self.random, &self.belief);
        call.client_id = arguments::client_id(&mut self.random);
        call.timeout_ms = arguments::timeout_ms(&mut self.random, self.stage);
        call.level = arguments::level(&mut self.random);
        (call.copy, call.share) = match method {
            Opnum::GetShareMapping | Opnum::DeleteShareMapping => {
                arguments::copy_and_share(&mut self.random, &self.belief, &call.set, self.stage)
            }
            _ => (
                IdRef::Nil,
                arguments::any_share(&mut self.random, self.stage),
            ),
        };
        let client = self.anybody();
        self.call(client, call);
    }

    fn set_context(&mut self) {
        let mut call = template(Opnum::SetContext);
        call.context = arguments::context(&mut self.random, true);
        let client = self.holder();
        self.call(client, call);
    }

    /// Mostly the client that goes on with what it began.
    fn anybody(&mut self) -> String {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        if self.random.percent(70) {
            return self.holder();
        }
        let one = self.random.one_of(&names).cloned();
        one.unwrap_or_else(|| MAIN_CLIENT.to_owned())
    }

    /// A client that may make calls, from the address that holds the context.
    fn holder(&mut self) -> String {
        let Some(from_other) = self.belief.context else {
            if self.random.percent(80) {
                return MAIN_CLIENT.to_owned();
            }
            let able: Vec<String> = self
                .clients
                .iter()
                .filter(|(_, spec)| may_call(spec))
                .map(|(name, _)| name.clone())
                .collect();
            let one = self.random.one_of(&able).cloned();
            return one.unwrap_or_else(|| MAIN_CLIENT.to_owned());
        };
        let mut able = self
            .clients
            .iter()
            .filter(|(_, spec)| may_call(spec) && spec.other_address == from_other);
        match (from_other, able.next()) {
            (true, Some((name, _))) => name.clone(),
            _ => MAIN_CLIENT.to_owned(),
        }
    }

    fn call(&mut self, client: String, call: CallTemplate) {
        let call = only_its_own(call);
        let save = match call.method {
            Opnum::StartShadowCopySet => Some("set"),
            Opnum::AddToShadowCopySet => Some("copy"),
            Opnum::GetShareMapping => Some("mapping"),
            _ => None,
        };
        let save = save.map(|what| {
            self.made += 1;
            format!("{what}{}", self.made)
        });
        let spec = self.clients.get(&client).cloned().unwrap_or_default();
        if may_call(&spec) {
            self.belief
                .call(&call, spec.other_address, save.as_deref(), self.stage);
        }
        self.step(client, Action::Call(call), save);
    }

    fn step(&mut self, client: String, action: Action, save: Option<String>) {
        self.steps.push(Step {
            line: 0,
            client,
            action,
            save,
            repeat: None,
            expect: None,
        });
    }

    /// Mostly to one second before or behind the end of the timer.
    fn time(&mut self) {
        let (left, of) = self.belief.timer.unwrap_or((180, 180));
        let seconds = match self.random.below(100) {
            0..40 => left.saturating_sub(1),
            40..70 => left + 1,
            _ => {
                let some = u64::try_from(self.random.below(170)).unwrap_or(0);
                some + 1
            }
        };
        self.belief.pass(seconds);
        let advance = Advance {
            by: Duration::from_secs(seconds),
            of: Duration::from_secs(of),
        };
        self.step(MAIN_CLIENT.to_owned(), Action::Advance(advance), None);
    }

    fn file(&mut self) {
        let shown: Vec<String> = self
            .belief
            .sets
            .iter()
            .filter(|set| set.progress >= Progress::Exposed)
            .flat_map(|set| &set.copies)
            .filter(|copy| !copy.deleted && !copy.name.is_empty())
            .map(|copy| copy.name.clone())
            .collect();
        let place = match self.random.one_of(&shown) {
            Some(copy) if self.random.percent(60) => Place::Exposed(copy.clone()),
            _ => {
                let share = self.random.one_of(&self.stage.stores).copied();
                Place::Share(share.unwrap_or("{share}").to_owned())
            }
        };
        let verbs = [
            (60, FileVerb::Write),
            (20, FileVerb::Read),
            (20, FileVerb::Connect),
        ];
        let verb = self.random.weighted(&verbs).unwrap_or(FileVerb::Connect);
        let text = format!("written by step {}", self.steps.len());
        let template = FileTemplate {
            verb,
            place,
            name: match verb {
                FileVerb::Connect => String::new(),
                _ => FILE.to_owned(),
            },
            content: (verb == FileVerb::Write).then_some(text),
            holds: Vec::new(),
            lacks: Vec::new(),
            handle: None,
        };
        self.step(MAIN_CLIENT.to_owned(), Action::File(template), None);
    }

    fn connection(&mut self) {
        let client = self.anybody();
        let action = if self.random.percent(50) {
            Action::Connect
        } else {
            Action::Disconnect
        };
        self.step(client, action, None);
    }

    /// Bytes that are no call.
    fn raw(&mut self) {
        let beyond = [13, 14, 20, 255, u16::MAX];
        let (opnum, bytes) = if self.random.percent(40) {
            let opnum = self.random.one_of(&beyond).copied().unwrap_or(13);
            (Opnum(opnum), 4)
        } else {
            // Each of them wants more.
            let wants = [
                (Opnum::SetContext, 3),
                (Opnum::StartShadowCopySet, 12),
                (Opnum::AddToShadowCopySet, 33),
                (Opnum::CommitShadowCopySet, 17),
                (Opnum::AbortShadowCopySet, 8),
                (Opnum::IsPathSupported, 7),
                (Opnum::GetShareMapping, 32),
                (Opnum::PrepareShadowCopySet, 19),
            ];
            let one = self.random.one_of(&wants).copied();
            one.unwrap_or((Opnum::SetContext, 3))
        };
        let stub = vec![0x5A; bytes];
        let client = self.anybody();
        self.step(client, Action::Raw { opnum, stub }, None);
    }
}

/// Whether a client of this kind is let in by a server that conforms.
fn may_call(spec: &ClientSpec) -> bool {
    spec.user == User::Admin
        && matches!(
            spec.rpc,
            None | Some(RpcLevel::Integrity | RpcLevel::Privacy)
        )
}

fn template(method: Opnum) -> CallTemplate {
    CallTemplate {
        method,
        context: Context::CTX_BACKUP,
        set: IdRef::Nil,
        copy: IdRef::Nil,
        client_id: IdRef::New,
        share: String::new(),
        level: 1,
        timeout_ms: TIMEOUT_MS,
    }
}

/// The call without the arguments that its method does not have, as a case file would hold it.
fn only_its_own(call: CallTemplate) -> CallTemplate {
    let method = call.method;
    let mut own = template(method);
    let names_set = |method| {
        !matches!(
            method,
            Opnum::GetSupportedVersion
                | Opnum::SetContext
                | Opnum::StartShadowCopySet
                | Opnum::IsPathSupported
                | Opnum::IsPathShadowCopied
        )
    };
    if method == Opnum::SetContext {
        own.context = call.context;
    }
    if names_set(method) {
        own.set = call.set;
    }
    if matches!(method, Opnum::GetShareMapping | Opnum::DeleteShareMapping) {
        own.copy = call.copy;
    }
    if matches!(
        method,
        Opnum::StartShadowCopySet | Opnum::AddToShadowCopySet
    ) {
        own.client_id = call.client_id;
    }
    if matches!(
        method,
        Opnum::AddToShadowCopySet
            | Opnum::IsPathSupported
            | Opnum::IsPathShadowCopied
            | Opnum::GetShareMapping
            | Opnum::DeleteShareMapping
    ) {
        own.share = call.share;
    }
    if method == Opnum::GetShareMapping {
        own.level = call.level;
    }
    if matches!(
        method,
        Opnum::PrepareShadowCopySet | Opnum::CommitShadowCopySet | Opnum::ExposeShadowCopySet
    ) {
        own.timeout_ms = call.timeout_ms;
    }
    own
}
