//! Lifecycles through our client, with a journal of what was answered.

use super::child::SHARES;
use super::disk::number;
use super::journal::{Journal, Numbers, Record, Stage};
use super::writers::Counts;
use fsrvp::case::Target;
use fsrvp::drive::ManualClient;
use fsrvp_wire::fsrvp::{
    Call, Context, Hresult, Reply, ShadowCopyId, abort_shadow_copy_set, add_to_shadow_copy_set,
    commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set, prepare_shadow_copy_set,
    recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::Uuid;

/// Why a lifecycle ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The connection broke: the server is gone.
    Killed,
    /// The server answered something else.
    Refused(String),
}

type Step<T> = Result<T, Ended>;

/// What is done whenever a call was answered with ZERO.
type OnZero = Box<dyn FnMut(&Journal) + Send>;

/// A client that keeps a journal.
pub(crate) struct Player {
    client: ManualClient,
    journal: Arc<Mutex<Journal>>,
    counts: Arc<Counts>,
    on_zero: OnZero,
}

const TIMEOUT_MS: u32 = 60_000;

fn unc(share: &str) -> WideString {
    WideString::from_text(&format!(r"\\server\{share}\"))
}

/// The name under which the copy of a share is exposed.
pub(crate) fn exposed_name(share: &str, ShadowCopyId(id): ShadowCopyId) -> String {
    format!("{share}@{{{id}}}")
}

impl Player {
    pub(crate) async fn connect(
        target: &Target,
        journal: Arc<Mutex<Journal>>,
        counts: Arc<Counts>,
        on_zero: OnZero,
    ) -> Step<Player> {
        let client = ManualClient::connect(target).await;
        Ok(Player {
            client: client.map_err(|_| Ended::Killed)?,
            journal,
            counts,
            on_zero,
        })
    }

    fn note<T>(&self, note: impl FnOnce(&mut Journal) -> T) -> T {
        note(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn ask(&mut self, call: Call) -> Step<Reply> {
        let answered = self.client.call(&call).await.map_err(|_| Ended::Killed)?;
        let reply = answered.map_err(Ended::Refused)?;
        if reply.status() != Hresult::ZERO {
            return Err(Ended::Refused(format!("{call:?}: {reply:?}")));
        }
        self.counts.tick();
        Ok(reply)
    }

    fn zero(&mut self) {
        let journal = self.note(|journal| journal.clone());
        (self.on_zero)(&journal);
    }

    /// A call that brings the last set to `stage`.
    async fn advance(&mut self, stage: Stage, call: Call) -> Step<Reply> {
        self.note(|journal| journal.last().map(|record| record.pending = Some(stage)));
        let reply = self.ask(call).await?;
        let made = match &reply {
            Reply::AddToShadowCopySet(added) => Some(added.shadow_copy_id),
            _ => None,
        };
        self.note(|journal| {
            if let Some(record) = journal.last() {
                record.copies.extend(made);
                record.acknowledged = stage;
                record.pending = None;
            }
        });
        self.zero();
        Ok(reply)
    }

    fn set(&self) -> fsrvp_wire::fsrvp::ShadowCopySetId {
        self.note(|journal| journal.last().map(|record| record.set))
            .unwrap_or(fsrvp_wire::fsrvp::ShadowCopySetId(Uuid::nil()))
    }

    fn copies(&self) -> Vec<ShadowCopyId> {
        self.note(|journal| journal.last().map(|record| record.copies.clone()))
            .unwrap_or_default()
    }

    /// SetContext; a second one in a row drops what is unfinished (3.1.4.2).
    pub(crate) async fn set_context(&mut self) -> Step<()> {
        let context = Context(Context::CTX_APP_ROLLBACK.0 | Context::ATTR_AUTO_RECOVERY);
        self.ask(Call::SetContext(set_context::Request { context }))
            .await
            .map(drop)
    }

    /// Everything up to a committed set of both shares.
    pub(crate) async fn commit(&mut self) -> Step<()> {
        self.set_context().await?;
        self.note(|journal| journal.starting = true);
        let request = start_shadow_copy_set::Request {
            client_shadow_copy_set_id: Uuid::from_u128(1),
        };
        let started = self.ask(Call::StartShadowCopySet(request)).await?;
        let Reply::StartShadowCopySet(started) = started else {
            return Err(Ended::Refused(format!("{started:?}")));
        };
        self.note(|journal| {
            journal.starting = false;
            journal.records.push(Record {
                set: started.shadow_copy_set_id,
                copies: Vec::new(),
                acknowledged: Stage::Started,
                pending: None,
                at_least: Numbers::default(),
                at_most: [[u64::MAX; super::disk::WRITERS]; 2],
                recovered: false,
            });
        });
        self.zero();
        for (index, share) in SHARES.iter().enumerate() {
            let request = add_to_shadow_copy_set::Request {
                client_shadow_copy_id: Uuid::from_u128(2),
                shadow_copy_set_id: self.set(),
                share_name: unc(share),
            };
            self.advance(Stage::Added(index + 1), Call::AddToShadowCopySet(request))
                .await?;
        }
        let request = prepare_shadow_copy_set::Request {
            shadow_copy_set_id: self.set(),
            timeout_ms: TIMEOUT_MS,
        };
        self.ask(Call::PrepareShadowCopySet(request)).await?;
        let at_least = self.counts.acknowledged();
        self.note(|journal| journal.last().map(|record| record.at_least = at_least));
        let request = commit_shadow_copy_set::Request {
            shadow_copy_set_id: self.set(),
            timeout_ms: TIMEOUT_MS,
        };
        self.advance(Stage::Committed, Call::CommitShadowCopySet(request))
            .await?;
        let at_most = self.counts.sent();
        self.note(|journal| journal.last().map(|record| record.at_most = at_most));
        Ok(())
    }

    /// From a committed set to one that is sealed, with something written into it before.
    pub(crate) async fn recover(&mut self) -> Step<()> {
        self.expose().await?;
        let name = match self.copies().first() {
            Some(id) => exposed_name(SHARES[0], *id),
            None => return Err(Ended::Refused("no copies".to_owned())),
        };
        let put = self.client.put(&name, "recovered", b"recovered").await;
        put.map_err(|_| Ended::Killed)?.map_err(Ended::Refused)?;
        self.note(|journal| journal.last().map(|record| record.recovered = true));
        let request = recovery_complete_shadow_copy_set::Request {
            shadow_copy_set_id: self.set(),
        };
        self.advance(
            Stage::Recovered,
            Call::RecoveryCompleteShadowCopySet(request),
        )
        .await
        .map(drop)
    }

    /// Exposes a committed set.
    pub(crate) async fn expose(&mut self) -> Step<()> {
        let request = expose_shadow_copy_set::Request {
            shadow_copy_set_id: self.set(),
            timeout_ms: TIMEOUT_MS,
        };
        self.advance(Stage::Exposed, Call::ExposeShadowCopySet(request))
            .await
            .map(drop)
    }

    /// Gives up the last set.
    pub(crate) async fn abort(&mut self) -> Step<()> {
        let request = abort_shadow_copy_set::Request {
            shadow_copy_set_id: self.set(),
        };
        self.advance(Stage::Gone, Call::AbortShadowCopySet(request))
            .await
            .map(drop)
    }

    /// Deletes both mappings of the last set, which is recovered, and so the set.
    pub(crate) async fn delete(&mut self) -> Step<()> {
        let copies = self.copies();
        for (index, (share, id)) in SHARES.iter().zip(copies).enumerate() {
            let request = delete_share_mapping::Request {
                shadow_copy_set_id: self.set(),
                shadow_copy_id: id,
                share_name: unc(share),
            };
            let stage = if index == 0 {
                Stage::Halved
            } else {
                Stage::Gone
            };
            self.advance(stage, Call::DeleteShareMapping(request))
                .await?;
        }
        Ok(())
    }

    /// Writes the next number of writer 0 into both shares, as nobody else does meanwhile.
    async fn number(&mut self) -> Step<()> {
        for (index, share) in SHARES.iter().enumerate() {
            let value = self.counts.send(index, 0);
            let text = number(value).into_bytes();
            let put = self.client.put(share, "w0", &text);
            put.await
                .map_err(|_| Ended::Killed)?
                .map_err(Ended::Refused)?;
            self.counts.acknowledge(index, 0, value);
        }
        Ok(())
    }

    /// A set that stays, one that is aborted when it is exposed, one that is deleted.
    pub(crate) async fn everything(&mut self) -> Step<()> {
        self.number().await?;
        self.commit().await?;
        self.recover().await?;
        self.number().await?;
        self.commit().await?;
        self.expose().await?;
        self.abort().await?;
        self.number().await?;
        self.commit().await?;
        self.recover().await?;
        self.delete().await
    }
}
