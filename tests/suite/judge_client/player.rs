//! A client that does what words say, right or wrong.

use super::desk::{Run, Targets, judged};
use fsrvp::case::{ClientSpec, Target};
use fsrvp::drive::ManualClient;
use fsrvp_wire::fsrvp::{
    Call, Context, Reply, ShadowCopyId, ShadowCopySetId, abort_shadow_copy_set,
    add_to_shadow_copy_set, commit_shadow_copy_set, delete_share_mapping, expose_shadow_copy_set,
    get_share_mapping, get_supported_version, is_path_supported, prepare_shadow_copy_set,
    recovery_complete_shadow_copy_set, set_context, start_shadow_copy_set,
};
use fsrvp_wire::ndr::WideString;
use uuid::Uuid;

/// A client's own id of its set.
const OWN: Uuid = Uuid::from_u128(0xfee1);

const TIMEOUT_MS: u32 = 60_000;

/// One client that does what these words say.
pub(crate) fn client_does(script: &str, words: &str) -> Run {
    judged(script, async |targets: Targets| {
        Client::new(targets, ClientSpec::default())
            .does(words)
            .await;
    })
}

/// A client, and what it remembers.
pub(crate) struct Client {
    target: Target,
    spec: ClientSpec,
    connection: Option<ManualClient>,
    set: ShadowCopySetId,
    copies: Vec<(ShadowCopyId, &'static str)>,
}

impl Client {
    pub(crate) fn new(targets: Targets, spec: ClientSpec) -> Client {
        Client {
            target: targets.target(),
            spec,
            connection: None,
            set: ShadowCopySetId::NIL,
            copies: Vec::new(),
        }
    }

    pub(crate) async fn does(&mut self, words: &str) {
        for word in words.split_whitespace() {
            match word {
                "leave" => {
                    if let Some(connection) = self.connection.take() {
                        // The server may have closed the connection.
                        let _ = connection.leave().await;
                    }
                }
                // The new connection is there before the old one goes.
                "reconnect" | "vanish-and-come-back" => {
                    let fresh = ManualClient::connect_as(&self.target, &self.spec).await;
                    let old = self.connection.replace(fresh.expect("a connection"));
                    if word == "reconnect"
                        && let Some(old) = old
                    {
                        old.leave().await.expect("it leaves");
                    }
                }
                "vanish" => self.connection = None,
                word => {
                    for call in self.calls(word) {
                        self.call(&call).await;
                    }
                }
            }
        }
    }

    /// Makes a call; whatever the server does, the client goes on with its words.
    async fn call(&mut self, call: &Call) {
        if self.connection.is_none() {
            let made = ManualClient::connect_as(&self.target, &self.spec).await;
            self.connection = Some(made.expect("a connection"));
        }
        let Some(connection) = &mut self.connection else {
            return;
        };
        match connection.call(call).await {
            Ok(Ok(Reply::StartShadowCopySet(reply))) if reply.status.is_success() => {
                self.set = reply.shadow_copy_set_id;
                self.copies.clear();
            }
            Ok(Ok(Reply::AddToShadowCopySet(reply))) if reply.status.is_success() => {
                let share = match call {
                    Call::AddToShadowCopySet(request) if request.share_name == unc("more") => {
                        "more"
                    }
                    _ => "data",
                };
                self.copies.push((reply.shadow_copy_id, share));
            }
            _ => {}
        }
    }

    fn calls(&self, word: &str) -> Vec<Call> {
        let shadow_copy_set_id = self.set;
        let timeout_ms = TIMEOUT_MS;
        let commit = |shadow_copy_set_id| {
            Call::CommitShadowCopySet(commit_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms,
            })
        };
        let add = |share| {
            Call::AddToShadowCopySet(add_to_shadow_copy_set::Request {
                client_shadow_copy_id: Uuid::from_u128(0xfee2),
                shadow_copy_set_id,
                share_name: unc(share),
            })
        };
        let mapping = |set: ShadowCopySetId, copy: ShadowCopyId, share, level| {
            Call::GetShareMapping(get_share_mapping::Request {
                shadow_copy_id: copy,
                shadow_copy_set_id: set,
                share_name: unc(share),
                level,
            })
        };
        let delete = |set: ShadowCopySetId, copy: ShadowCopyId, share| {
            Call::DeleteShareMapping(delete_share_mapping::Request {
                shadow_copy_set_id: set,
                shadow_copy_id: copy,
                share_name: unc(share),
            })
        };
        let of_copies = |make: &dyn Fn(ShadowCopySetId, ShadowCopyId, &'static str) -> Call| {
            let copies = self.copies.iter();
            copies
                .map(|(copy, share)| make(self.set, *copy, share))
                .collect()
        };
        let swapped = |set: ShadowCopySetId, copy: ShadowCopyId| {
            (ShadowCopySetId(copy.0), ShadowCopyId(set.0))
        };
        vec![match word {
            "supported" => Call::IsPathSupported(is_path_supported::Request {
                share_name: unc("data"),
            }),
            "version" => Call::GetSupportedVersion(get_supported_version::Request),
            "context" => Call::SetContext(set_context::Request {
                context: Context(0),
            }),
            "start" => Call::StartShadowCopySet(start_shadow_copy_set::Request {
                client_shadow_copy_set_id: OWN,
            }),
            "add" => add("data"),
            "add-more" => add("more"),
            "prepare" => Call::PrepareShadowCopySet(prepare_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms,
            }),
            "commit" => commit(shadow_copy_set_id),
            "commit-own-id" => commit(ShadowCopySetId(OWN)),
            "commit-nil" => commit(ShadowCopySetId::NIL),
            "expose" => Call::ExposeShadowCopySet(expose_shadow_copy_set::Request {
                shadow_copy_set_id,
                timeout_ms,
            }),
            "recover" => {
                Call::RecoveryCompleteShadowCopySet(recovery_complete_shadow_copy_set::Request {
                    shadow_copy_set_id,
                })
            }
            "abort" => {
                Call::AbortShadowCopySet(abort_shadow_copy_set::Request { shadow_copy_set_id })
            }
            "mapping" => return of_copies(&|set, copy, share| mapping(set, copy, share, 1)),
            "mapping-2" => return of_copies(&|set, copy, share| mapping(set, copy, share, 2)),
            "mapping-swapped" => {
                return of_copies(&|set, copy, share| {
                    let (set, copy) = swapped(set, copy);
                    mapping(set, copy, share, 1)
                });
            }
            "delete" => return of_copies(&|set, copy, share| delete(set, copy, share)),
            "delete-swapped" => {
                return of_copies(&|set, copy, share| {
                    let (set, copy) = swapped(set, copy);
                    delete(set, copy, share)
                });
            }
            "delete-nil" => delete(shadow_copy_set_id, ShadowCopyId::NIL, "data"),
            _ => {
                assert_eq!(word, "a word of this player");
                return Vec::new();
            }
        }]
    }
}

fn unc(share: &str) -> WideString {
    WideString::from_text(&format!(r"\\127.0.0.1\{share}"))
}
