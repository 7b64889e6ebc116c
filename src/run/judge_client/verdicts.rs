//! From what was found to a verdict on each requirement that binds clients.

use super::BINDS;
use super::judge::End;
use crate::flow::{Exchange, Signed, SmbProtection};
use crate::oracle::{LeftOpen, requirement_of};
use crate::outcome::{Breach, ClientLedger, ClientOutcome, Place, Verdict};
use crate::requirement::{Catalogue, Level, Requirement, RequirementId, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The lowest RPC level at which every fragment has a signature (C706 13.1.2.1: packet).
const LEVEL_PACKET: u8 = 4;

/// How many doubts about one requirement are told.
const DOUBTS_MAX: usize = 64;

/// Everything that was found of the clients.
#[derive(Default)]
pub(super) struct Found {
    breaches: BTreeMap<RequirementId, Vec<Breach>>,
    kept: BTreeMap<RequirementId, (u64, Place)>,
    doubts: BTreeMap<RequirementId, Vec<String>>,
    unread: BTreeMap<String, u64>,
    /// Clients of whose traffic not everything could be read.
    doubtful: BTreeSet<IpAddr>,
    clients: BTreeSet<IpAddr>,
    calls: u64,
}

impl Found {
    /// How many breaches there are.
    pub(super) fn len(&self) -> usize {
        self.breaches.values().map(Vec::len).sum()
    }

    pub(super) fn broke(&mut self, requirement: RequirementId, breach: Breach) {
        self.breaches.entry(requirement).or_default().push(breach);
    }

    pub(super) fn kept(&mut self, requirement: &str, times: u64, place: impl FnOnce() -> Place) {
        let id = RequirementId(requirement.to_owned());
        self.kept.entry(id).or_insert_with(|| (0, place())).0 += times;
    }

    /// Something could not be read, which may hide a call of this client; no more than `max`
    /// different things are told.
    pub(super) fn unread(&mut self, what: String, may_hide: Option<IpAddr>, max: usize) {
        if self.doubtful.len() < max {
            self.doubtful.extend(may_hide);
        }
        if self.unread.contains_key(&what) || self.unread.len() < max {
            *self.unread.entry(what).or_default() += 1;
        }
    }

    /// A call was made, which by itself shows that some requirements were followed.
    pub(super) fn called(&mut self, exchange: &Exchange, place: &Place, clients_max: usize) {
        self.calls += 1;
        if self.clients.len() < clients_max {
            self.clients.insert(exchange.link.client.ip());
        }
        let of = |signed| requirement_of(signed, Role::Client);
        // Every signature is checked; a wrong one is told beside.
        let signed = match exchange.smb {
            SmbProtection::Plain => None,
            SmbProtection::Signed => Some(of(Signed::SmbMessage)),
            SmbProtection::Encrypted => Some(of(Signed::EncryptedSmbMessage)),
        };
        let verified = exchange.rpc_auth.is_some_and(|level| level >= LEVEL_PACKET);
        let fragment = verified.then(|| of(Signed::RpcFragment));
        for id in signed.into_iter().chain(fragment).chain([BINDS]) {
            self.kept(id, 1, || place.clone());
        }
    }

    /// A set was left behind, and nothing shows that this was meant.
    pub(super) fn left(&mut self, left: &LeftOpen, end: Option<End>, place: Place) {
        let how = match end {
            None => "its client was still connected when the run ended",
            Some(End::Cut) => "its client's connection broke off; the client may have died",
            Some(End::ByServer) => "the server ended its client's connection",
            Some(End::Orderly) => {
                "calls overlapped, an answer was not seen, or another of its client's connections did \
                 not end in order"
            }
        };
        let reason = format!("set {} was {} last: {how}; {place}", left.set, left.status);
        self.doubt(left.requirement, reason);
    }

    /// A requirement may have been broken.
    pub(super) fn doubt(&mut self, requirement: &str, reason: String) {
        let id = RequirementId(requirement.to_owned());
        let doubts = self.doubts.entry(id).or_default();
        if doubts.len() < DOUBTS_MAX {
            doubts.push(reason);
        }
    }
}

/// The verdicts on all requirements that bind clients.
pub(super) fn ledger(catalogue: &Catalogue, mut found: Found) -> ClientLedger {
    let unread: Vec<String> = found
        .unread
        .iter()
        .map(|(what, times)| match times {
            1 => what.clone(),
            times => format!("{what} ({times} times)"),
        })
        .collect();
    let of_clients = catalogue.iter().filter(|of| of.role == Role::Client);
    let outcomes = of_clients.map(|of| outcome(of, &mut found)).collect();
    ClientLedger::new(
        found.clients.iter().map(ToString::to_string).collect(),
        found.calls,
        unread,
        outcomes,
    )
}

fn outcome(requirement: &Requirement, found: &mut Found) -> ClientOutcome {
    let id = &requirement.id;
    let breaches = found.breaches.remove(id).unwrap_or_default();
    let kept = found.kept.remove(id);
    let doubts = found.doubts.remove(id).unwrap_or_default();
    let (verdict, reason) = match (requirement.level, &requirement.reason) {
        (Level::Must, _) if !breaches.is_empty() => (Verdict::Fail, String::new()),
        (_, _) if !breaches.is_empty() => (Verdict::NonStrict, String::new()),
        (_, _) if !doubts.is_empty() => (Verdict::Inconclusive, doubts.join("\n")),
        (_, _) if kept.is_some() => (Verdict::Pass, String::new()),
        (_, Some(reason)) => (Verdict::NotApplicable, reason.clone()),
        (_, None) => did_not_come_up(requirement, found),
    };
    ClientOutcome {
        requirement: id.clone(),
        section: requirement.section.clone(),
        level: requirement.level,
        asks: format!(
            "{}; {}: {}",
            requirement.given, requirement.when, requirement.then
        ),
        verdict,
        kept: kept.as_ref().map_or(0, |(times, _)| *times),
        first_kept: kept.map(|(_, place)| place),
        breaches,
        reason,
    }
}

/// Where part of the traffic could not be read, nobody knows that.
fn did_not_come_up(requirement: &Requirement, found: &Found) -> (Verdict, String) {
    let given = format!("{}; {}", requirement.given, requirement.when);
    match found.doubtful.is_disjoint(&found.clients) {
        true => (Verdict::NotApplicable, format!("did not come up: {given}")),
        false => (
            Verdict::Inconclusive,
            format!("did not come up in what could be read of the traffic: {given}"),
        ),
    }
}
