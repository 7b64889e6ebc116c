//! An agent with two supported shares on stores of their own, an alias and an unsupported share,
//! whose effects succeed at once unless a test holds or fails them.

use crate::agent::{
    Agent, AgentConfig, BackendRef, CallToken, Caller, Completion, Deviations, Durations, Effect,
    EffectFailed, EffectId, ExposeOrder, IdSource, Now, ShadowCopySet, ShareCatalogue, ShareInfo,
    State, Status, Support,
};
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set,
    get_share_mapping, get_supported_version, is_path_shadow_copied, is_path_supported,
    prepare_shadow_copy_set, recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(super) const MINUTE_MS: u32 = 60_000;
pub(super) const UNKNOWN: Uuid = Uuid::from_u128(0xDEAD);

struct Counting(u128);

impl IdSource for Counting {
    fn new_id(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

struct Shares;

impl ShareCatalogue for Shares {
    fn find(&self, share_name: &str) -> Option<ShareInfo> {
        let (name, volume, support) = match share_name.to_lowercase().as_str() {
            "data" => ("data", "one", Support::Supported),
            "alias" => ("alias", "one", Support::Supported),
            "more" => ("more", "two", Support::Supported),
            "hidden$" => ("hidden$", "three", Support::Supported),
            "plain" => ("plain", "four", Support::Unsupported),
            _ => return None,
        };
        Some(ShareInfo {
            name: name.to_owned(),
            volume_name: volume.to_owned(),
            support,
            compatibility: 0,
        })
    }
}

/// What becomes of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    Fails,
    /// The test completes it later.
    Held,
}

pub(super) struct Bench {
    pub(super) agent: Agent,
    pub(super) now: Duration,
    pub(super) caller: Caller,
    /// Decides by the effect's kind; see [`kind`].
    pub(super) fate: Box<dyn Fn(&Effect) -> Fate>,
    pub(super) held: Vec<(EffectId, Effect)>,
    /// Every effect, in order.
    pub(super) seen: Vec<Effect>,
    /// What the configuration store holds.
    pub(super) stored: State,
    /// The exposed shares and the backend snapshots that there are.
    pub(super) shares: BTreeSet<String>,
    pub(super) copies: BTreeSet<String>,
    /// Something could not be removed, so it may be there for good.
    pub(super) failed_to_remove: bool,
    /// The store could not be told that a change which it has does not hold after all: until the
    /// next change it is ahead of what is answered.
    pub(super) failed_to_bring_back: bool,
    replies: Vec<(CallToken, Reply)>,
    last_token: u64,
}

pub(super) fn permitted(address: &str) -> Caller {
    Caller {
        address: address.parse().expect("an address"),
        user: "admin".to_owned(),
        backup_rights: true,
        auth_type: 0x0A,
        auth_level: 0x05,
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::restarted(State::default())
    }

    pub(super) fn restarted(stored: State) -> Bench {
        Bench::with(stored, Durations::nominal())
    }

    pub(super) fn with(stored: State, durations: Durations) -> Bench {
        Bench::whole(stored, durations, Deviations::none())
    }

    pub(super) fn deviating(deviations: Deviations) -> Bench {
        Bench::whole(State::default(), Durations::nominal(), deviations)
    }

    fn whole(stored: State, durations: Durations, deviations: Deviations) -> Bench {
        let config = AgentConfig {
            durations,
            owner_machine_name: "NODE1".to_owned(),
            retry_limit: 5,
            versions: (1, 1),
            deviations,
            faults: Vec::new(),
        };
        let first_id = stored.sets.len() as u128 * 1000;
        Bench {
            agent: Agent::new(
                config,
                Box::new(Counting(first_id)),
                Arc::new(Shares),
                stored.clone(),
            ),
            now: Duration::from_secs(1),
            caller: permitted("127.0.0.1"),
            fate: Box::new(|_| Fate::Succeeds),
            held: Vec::new(),
            seen: Vec::new(),
            shares: stored
                .sets
                .iter()
                .flat_map(ShadowCopySet::exposed_names)
                .collect(),
            copies: stored
                .sets
                .iter()
                .flat_map(ShadowCopySet::backend_refs)
                .map(name)
                .collect(),
            stored,
            failed_to_remove: false,
            failed_to_bring_back: false,
            replies: Vec::new(),
            last_token: 0,
        }
    }

    pub(super) fn time(&self) -> Now {
        Now {
            monotonic: self.now,
            filetime: 133_000_000_000_000_000,
        }
    }

    /// Sends a call; its reply is with [`Bench::reply_to`] as soon as there is one.
    pub(super) fn send(&mut self, call: Call) -> CallToken {
        self.last_token += 1;
        let token = CallToken(self.last_token);
        let (caller, now) = (self.caller.clone(), self.time());
        self.agent.handle_call(token, &caller, call, now);
        self.settle();
        token
    }

    pub(super) fn reply_to(&self, token: CallToken) -> Option<&Reply> {
        let replies: Vec<_> = self
            .replies
            .iter()
            .filter(|(other, _)| *other == token)
            .collect();
        assert!(replies.len() <= 1, "two replies to one call");
        replies.first().map(|(_, reply)| reply)
    }

    /// Sends a call that has to be answered at once.
    pub(super) fn call(&mut self, call: Call) -> Reply {
        let token = self.send(call);
        self.reply_to(token).expect("an answer at once").clone()
    }

    pub(super) fn status(&mut self, call: Call) -> Hresult {
        self.call(call).status()
    }

    /// Moves the time on, and lets every alarm on the way ring.
    pub(super) fn pass(&mut self, by: Duration) {
        let until = self.now + by;
        let mut rung = 0;
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= until) {
            rung += 1;
            assert!(rung < 1000, "an alarm that nothing silences");
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.time());
            self.settle();
        }
        self.now = until;
    }

    pub(super) fn complete(&mut self, id: EffectId, effect: &Effect, fails: bool) {
        // An expose may still be under way when its set is dropped, and then finds nothing.
        let is_gone = |share: &ExposeOrder| !self.copies.contains(&name(share.backend_ref.clone()));
        let fails = match effect {
            Effect::Expose { shares } => fails || shares.iter().any(is_gone),
            _ => fails,
        };
        let result = if fails {
            self.failed_to_remove |= kind(effect) == "remove";
            self.failed_to_bring_back |=
                matches!(effect, Effect::Persist(state) if state == self.agent.state());
            Err(EffectFailed::Failed("the disk is on fire".to_owned()))
        } else {
            self.perform(effect);
            Ok(done(effect))
        };
        let now = self.time();
        self.agent.handle_completion(id, result, now);
        self.settle();
    }

    /// What an effect that succeeds changes outside.
    fn perform(&mut self, effect: &Effect) {
        match effect {
            Effect::Persist(state) => self.stored = state.clone(),
            Effect::Prepare { .. } => {}
            Effect::Commit { copies, .. } => {
                for copy in copies {
                    let is_new = self.copies.insert(name(made(copy.shadow_copy_id)));
                    assert!(is_new || self.failed_to_remove, "copied twice: {copy:?}");
                }
            }
            Effect::Expose { shares } => {
                for share in shares {
                    let is_new = self.shares.insert(share.exposed_name.clone());
                    assert!(is_new || self.failed_to_remove, "exposed twice: {share:?}");
                }
            }
            Effect::Restore { shares } => {
                for share in shares {
                    if self.copies.contains(&name(share.backend_ref.clone())) {
                        self.shares.insert(share.exposed_name.clone());
                    }
                }
            }
            Effect::Seal {
                exposed_names,
                copies,
            } => {
                let names = copies.iter().cloned().map(name);
                assert!(names.into_iter().all(|copy| self.copies.contains(&copy)));
                assert!(
                    exposed_names
                        .iter()
                        .all(|share| self.shares.contains(share))
                );
            }
            Effect::Remove {
                exposed_names,
                copies,
            } => {
                for share in exposed_names {
                    self.shares.remove(share);
                }
                for copy in copies {
                    self.copies.remove(&name(copy.clone()));
                }
            }
        }
    }

    /// Completes one held effect: effects begin in order, but long ones let the next begin, so
    /// that the first short one and all long ones before it may end first.
    pub(super) fn complete_one(&mut self, index: usize, fails: bool) {
        let long = self.held.iter().take_while(|(_, effect)| is_long(effect));
        let choices = (long.count() + 1).min(self.held.len());
        if choices > 0 {
            let (id, effect) = self.held.remove(index % choices);
            self.complete(id, &effect, fails);
        }
    }

    /// Completes what is held, oldest first.
    pub(super) fn release(&mut self) {
        self.fate = Box::new(|_| Fate::Succeeds);
        while !self.held.is_empty() {
            let (id, effect) = self.held.remove(0);
            self.complete(id, &effect, false);
        }
    }

    fn settle(&mut self) {
        loop {
            while let Some(reply) = self.agent.poll_reply() {
                self.replies.push(reply);
            }
            let Some((id, effect)) = self.agent.poll_effect() else {
                return;
            };
            self.seen.push(effect.clone());
            // Nothing begins before a short effect has ended.
            if !self.held.iter().all(|(_, held)| is_long(held)) {
                self.held.push((id, effect));
                continue;
            }
            match (self.fate)(&effect) {
                Fate::Succeeds => self.complete(id, &effect, false),
                Fate::Fails => self.complete(id, &effect, true),
                Fate::Held => self.held.push((id, effect)),
            }
        }
    }

    /// Brings a set of share `data` to `status`.
    pub(super) fn reach(
        &mut self,
        context: Context,
        status: Status,
    ) -> (ShadowCopySetId, ShadowCopyId) {
        assert_eq!(self.status(set_context(context)), Hresult::ZERO);
        let set = self.start();
        if status == Status::Started {
            return (set, ShadowCopyId(UNKNOWN));
        }
        let copy = self.add(set, "data");
        if status == Status::CreationInProgress {
            self.fate = Box::new(|effect| {
                if kind(effect) == "commit" {
                    Fate::Held
                } else {
                    Fate::Succeeds
                }
            });
            self.send(commit(set));
            return (set, copy);
        }
        let steps = [
            (Status::Committed, commit(set)),
            (Status::Exposed, expose(set)),
            (Status::Recovered, recover(set)),
        ];
        for (reached, call) in steps {
            if status >= reached {
                assert_eq!(self.status(call), Hresult::ZERO, "to {reached:?}");
            }
        }
        (set, copy)
    }

    pub(super) fn start(&mut self) -> ShadowCopySetId {
        match self.call(start()) {
            Reply::StartShadowCopySet(response) => {
                assert_eq!(response.status, Hresult::ZERO);
                response.shadow_copy_set_id
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn add(&mut self, set: ShadowCopySetId, share: &str) -> ShadowCopyId {
        match self.call(add(set, share)) {
            Reply::AddToShadowCopySet(response) => {
                assert_eq!(response.status, Hresult::ZERO);
                response.shadow_copy_id
            }
            other => panic!("{other:?}"),
        }
    }

    /// The kinds of all effects so far.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.seen.iter().map(kind).collect()
    }
}

fn done(effect: &Effect) -> Completion {
    match effect {
        Effect::Commit { copies, .. } => Completion::Copied(
            copies
                .iter()
                .map(|copy| (copy.shadow_copy_id, made(copy.shadow_copy_id)))
                .collect(),
        ),
        _ => Completion::Done,
    }
}

pub(super) fn made(id: ShadowCopyId) -> BackendRef {
    BackendRef(serde_json::json!(format!("copy of {id}")))
}

fn is_long(effect: &Effect) -> bool {
    matches!(kind(effect), "prepare" | "commit" | "expose")
}

/// A backend snapshot's name in the bench's own set of them.
fn name(reference: BackendRef) -> String {
    reference.0.to_string()
}

pub(super) fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Persist(_) => "persist",
        Effect::Prepare { .. } => "prepare",
        Effect::Commit { .. } => "commit",
        Effect::Expose { .. } => "expose",
        Effect::Restore { .. } => "restore",
        Effect::Seal { .. } => "seal",
        Effect::Remove { .. } => "remove",
    }
}

fn unc(share: &str) -> WideString {
    WideString::from_text(&format!(r"\\node1\{share}"))
}

pub(super) fn version() -> Call {
    Call::GetSupportedVersion(get_supported_version::Request)
}
pub(super) fn set_context(context: Context) -> Call {
    Call::SetContext(set_context::Request { context })
}
pub(super) fn start() -> Call {
    Call::StartShadowCopySet(start_shadow_copy_set::Request {
        client_shadow_copy_set_id: Uuid::from_u128(77),
    })
}
pub(super) fn add(shadow_copy_set_id: ShadowCopySetId, share: &str) -> Call {
    Call::AddToShadowCopySet(add_to_shadow_copy_set::Request {
        client_shadow_copy_id: Uuid::from_u128(78),
        shadow_copy_set_id,
        share_name: unc(share),
    })
}
pub(super) fn prepare(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::PrepareShadowCopySet(prepare_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms: MINUTE_MS,
    })
}
pub(super) fn commit(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms: MINUTE_MS,
    })
}
pub(super) fn expose(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
        shadow_copy_set_id,
        timeout_ms: MINUTE_MS,
    })
}
pub(super) fn recover(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::RecoveryCompleteShadowCopySet(recovery_complete_shadow_copy_set::Request {
        shadow_copy_set_id,
    })
}
pub(super) fn abort(shadow_copy_set_id: ShadowCopySetId) -> Call {
    Call::AbortShadowCopySet(abort_shadow_copy_set::Request { shadow_copy_set_id })
}
pub(super) fn supported(share: &str) -> Call {
    Call::IsPathSupported(is_path_supported::Request {
        share_name: unc(share),
    })
}
pub(super) fn copied(share: &str) -> Call {
    Call::IsPathShadowCopied(is_path_shadow_copied::Request {
        share_name: unc(share),
    })
}
pub(super) fn mapping(
    shadow_copy_set_id: ShadowCopySetId,
    shadow_copy_id: ShadowCopyId,
    share: &str,
    level: u32,
) -> Call {
    Call::GetShareMapping(get_share_mapping::Request {
        shadow_copy_id,
        shadow_copy_set_id,
        share_name: unc(share),
        level,
    })
}
pub(super) fn delete(
    shadow_copy_set_id: ShadowCopySetId,
    shadow_copy_id: ShadowCopyId,
    share: &str,
) -> Call {
    Call::DeleteShareMapping(delete_share_mapping::Request {
        shadow_copy_set_id,
        shadow_copy_id,
        share_name: unc(share),
    })
}
