//! From a lifecycle that fails to the shortest one that still does.

use super::sound;
use crate::case::{
    Action, CallTemplate, Case, ClientSpec, FileTemplate, IdRef, MAIN_CLIENT, Place, Step,
};
use fsrvp_wire::fsrvp::Context;
use std::collections::BTreeMap;

/// What is left of `life` when everything was taken away without which it `still_fails`: calls
/// first, then whatever is special about their arguments and clients. It is played at most
/// `plays_max` times.
pub fn shortest(life: &Case, plays_max: usize, still_fails: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut search = Search {
        best: life.clone(),
        left: plays_max,
        still_fails,
    };
    search.drop_steps();
    search.simplify();
    search.drop_steps();
    renamed(search.best)
}

struct Search<'f> {
    best: Case,
    left: usize,
    still_fails: &'f mut dyn FnMut(&Case) -> bool,
}

impl Search<'_> {
    fn is_better(&mut self, candidate: Case) -> bool {
        let candidate = sound(candidate);
        let same =
            candidate.steps.len() == self.best.steps.len() && said(&candidate) == said(&self.best);
        if same || candidate.steps.is_empty() || self.left == 0 {
            return false;
        }
        self.left -= 1;
        let fails = (self.still_fails)(&candidate);
        if fails {
            self.best = candidate;
        }
        fails
    }

    /// Takes away runs of steps, long ones first, from the end to the beginning.
    fn drop_steps(&mut self) {
        let mut size = self.best.steps.len() / 2;
        while size > 0 {
            let mut at = self.best.steps.len();
            let mut any = false;
            while at > 0 {
                let from = at.saturating_sub(size);
                let mut candidate = self.best.clone();
                if from < candidate.steps.len() {
                    candidate.steps.drain(from..at.min(candidate.steps.len()));
                    any |= self.is_better(candidate);
                }
                at = from;
            }
            if !(size == 1 && any) {
                size /= 2;
            }
        }
    }

    /// Makes every step as ordinary as it can be.
    fn simplify(&mut self) {
        let mut n = 0;
        while n < self.best.steps.len() {
            for simpler in self.best.steps.get(n).map(simpler).unwrap_or_default() {
                let mut candidate = self.best.clone();
                if let Some(step) = candidate.steps.get_mut(n) {
                    *step = simpler(step);
                    self.is_better(candidate);
                }
            }
            n += 1;
        }
        let names: Vec<String> = self.best.clients.keys().cloned().collect();
        for name in names {
            for change in [
                |spec: &mut ClientSpec| *spec = ClientSpec::default(),
                |spec: &mut ClientSpec| spec.rpc = None,
            ] {
                let mut candidate = self.best.clone();
                if let Some(spec) = candidate.clients.get_mut(&name) {
                    change(spec);
                    self.is_better(candidate);
                }
            }
        }
    }
}

/// All that is played of a lifecycle, in words that can be compared.
fn said(life: &Case) -> Vec<String> {
    let steps = life.steps.iter();
    let steps = steps.map(|step| format!("{} {:?} {:?}", step.client, step.action, step.save));
    let clients = life.clients.iter();
    let clients = clients.map(|(name, spec)| format!("{name} {spec:?}"));
    steps.chain(clients).collect()
}

type Simpler = Box<dyn Fn(&Step) -> Step>;

fn simpler(step: &Step) -> Vec<Simpler> {
    let mut all: Vec<Simpler> = vec![Box::new(|step| Step {
        client: MAIN_CLIENT.to_owned(),
        ..step.clone()
    })];
    if !matches!(step.action, Action::Call(_)) {
        return all;
    }
    let changes: [fn(&mut CallTemplate); 7] = [
        |call| call.share = default_share(call),
        |call| call.context = Context::CTX_BACKUP,
        |call| call.client_id = IdRef::New,
        |call| call.timeout_ms = 60_000,
        |call| call.level = 1,
        |call| {
            if matches!(call.copy, IdRef::Saved(_) | IdRef::New) {
                call.copy = IdRef::Unknown;
            }
        },
        |call| {
            if call.set == IdRef::New {
                call.set = IdRef::Unknown;
            }
        },
    ];
    for change in changes {
        all.push(Box::new(move |step| {
            let mut step = step.clone();
            if let Action::Call(call) = &mut step.action {
                change(call);
            }
            step
        }));
    }
    all
}

fn default_share(call: &CallTemplate) -> String {
    match call.share.as_str() {
        "" => String::new(),
        _ => r"\\{host}\{share}".to_owned(),
    }
}

/// The saved names that an action refers to.
pub(super) fn names_used(action: &Action) -> Vec<&String> {
    let of_id = |id: &IdRef| matches!(id, IdRef::Saved(_));
    match action {
        Action::Call(call) => [&call.set, &call.copy, &call.client_id]
            .into_iter()
            .filter(|id| of_id(id))
            .filter_map(|id| match id {
                IdRef::Saved(name) => Some(name),
                _ => None,
            })
            .collect(),
        Action::File(FileTemplate { place, handle, .. }) => {
            let copy = match place {
                Place::Exposed(copy) => Some(copy),
                Place::Share(_) => None,
            };
            copy.into_iter().chain(handle).collect()
        }
        _ => Vec::new(),
    }
}

/// The same with the names `set`, `copy`, `copy2` and so on, in the order in which they are saved.
fn renamed(mut life: Case) -> Case {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for step in &mut life.steps {
        rename_used(&mut step.action, &names);
        let Some(save) = &mut step.save else {
            continue;
        };
        let kind = save.trim_end_matches(|c: char| c.is_ascii_digit());
        let count = counts.entry(kind.to_owned()).or_default();
        *count += 1;
        let name = match *count {
            1 => kind.to_owned(),
            n => format!("{kind}{n}"),
        };
        names.insert(save.clone(), name.clone());
        *save = name;
    }
    life
}

fn rename_used(action: &mut Action, names: &BTreeMap<String, String>) {
    let rename = |name: &mut String| {
        if let Some(new) = names.get(name.as_str()) {
            *name = new.clone();
        }
    };
    match action {
        Action::Call(call) => {
            for id in [&mut call.set, &mut call.copy, &mut call.client_id] {
                if let IdRef::Saved(name) = id {
                    rename(name);
                }
            }
        }
        Action::File(file) => {
            if let Place::Exposed(name) = &mut file.place {
                rename(name);
            }
            if let Some(handle) = &mut file.handle {
                rename(handle);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Stage, lifecycle};
    use fsrvp_wire::fsrvp::Opnum;

    /// A stand-in for a server that is wrong about a Prepare after a Commit.
    fn fails(life: &Case) -> bool {
        let methods: Vec<Opnum> = life.methods().collect();
        let commit = methods
            .iter()
            .position(|m| *m == Opnum::CommitShadowCopySet);
        let prepare = methods
            .iter()
            .rposition(|m| *m == Opnum::PrepareShadowCopySet);
        matches!((commit, prepare), (Some(commit), Some(prepare)) if commit < prepare)
    }

    #[test]
    fn what_does_not_matter_is_taken_away() {
        let stage = Stage::full();
        let mut tried = 0;
        for n in 0..400 {
            let life = lifecycle(7, n, &stage);
            if !fails(&life) {
                continue;
            }
            tried += 1;
            let short = shortest(&life, 2000, &mut |life| fails(life));
            assert!(fails(&short), "{n}");
            let refers = short.steps.iter().any(|step| {
                names_used(&step.action)
                    .iter()
                    .any(|name| name.starts_with("set"))
            });
            // Two calls, and what made the set where they name one.
            assert!(
                short.steps.len() <= if refers { 4 } else { 2 },
                "{n}: {short:?}"
            );
            assert!(short.clients.is_empty(), "{n}: {short:?}");
        }
        assert!(tried > 5, "only {tried} lifecycles fail");
    }
}
