//! C706 12.6.3.1 and MS-RPCE 3.3.1.5.6: what a bind and its followers agree on.

use super::config::Service;
use super::limits::PRESENTATION_CONTEXTS_MAX;
use fsrvp_wire::ndr::TransferSyntax;
use fsrvp_wire::rpce::{
    Bind, BindAck, BindTimeFeatures, ContextElement, ContextOutcome, MUST_RECV_FRAG_SIZE,
    PREFERRED_FRAG_SIZE, ProviderReason, ResultCode, SyntaxId,
};

/// MS-RPCE 2.2.2.14: what we confirm. A client that gives up a call does not lose its connection
/// here; several security contexts are not possible.
const FEATURES: BindTimeFeatures = BindTimeFeatures::KEEP_CONNECTION_ON_ORPHAN;

/// A presentation context that can be used.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    context_id: u16,
    transfer_syntax: SyntaxId,
    syntax: TransferSyntax,
}

/// What the two sides agreed on.
#[derive(Debug)]
pub(super) struct Association {
    service: Service,
    max_xmit_frag: u16,
    max_recv_frag: u16,
    assoc_group_id: u32,
    contexts: Vec<Accepted>,
}

impl Association {
    /// An association without contexts, with the sizes of a bind.
    pub(super) fn new(bind: &Bind, fresh_group_id: u32, service: Service) -> Self {
        let agreed = |offered: u16| offered.clamp(MUST_RECV_FRAG_SIZE, PREFERRED_FRAG_SIZE);
        Association {
            service,
            max_xmit_frag: agreed(bind.max_recv_frag),
            max_recv_frag: agreed(bind.max_xmit_frag),
            assoc_group_id: match bind.assoc_group_id {
                0 => fresh_group_id.max(1),
                named => named,
            },
            contexts: Vec::new(),
        }
    }

    /// The longest fragment that the client takes.
    pub(super) fn max_xmit_frag(&self) -> usize {
        usize::from(self.max_xmit_frag)
    }

    /// The longest fragment that we said we take.
    pub(super) fn max_recv_frag(&self) -> usize {
        usize::from(self.max_recv_frag)
    }

    /// The transfer syntax of a context; `None` for one that was not accepted.
    pub(super) fn syntax(&self, context_id: u16) -> Option<TransferSyntax> {
        self.find(context_id).map(|context| context.syntax)
    }

    fn find(&self, context_id: u16) -> Option<&Accepted> {
        self.contexts
            .iter()
            .find(|context| context.context_id == context_id)
    }

    /// Judges the contexts of a bind or alter_context and answers. The address is empty in
    /// alter_context_resp.
    pub(super) fn answer(&mut self, bind: &Bind, secondary_address: &str) -> BindAck {
        let mut address = secondary_address.as_bytes().to_vec();
        if !address.is_empty() {
            address.push(0);
        }
        let results = bind
            .contexts
            .iter()
            .map(|offered| self.judge(offered))
            .collect();
        BindAck {
            max_xmit_frag: self.max_xmit_frag,
            max_recv_frag: self.max_recv_frag,
            assoc_group_id: self.assoc_group_id,
            secondary_address: address,
            reserved: 0,
            reserved2: 0,
            results,
        }
    }

    fn judge(&mut self, offered: &ContextElement) -> ContextOutcome {
        if let [only] = offered.transfer_syntaxes.as_slice()
            && let Some(features) = only.features()
        {
            return confirm(features);
        }
        if offered.abstract_syntax != self.service.syntax() {
            return ContextOutcome::refused(ProviderReason::ABSTRACT_SYNTAX_NOT_SUPPORTED);
        }
        if let Some(known) = self.find(offered.context_id) {
            // Clients offer a context again when they go on with a logon.
            return match offered.transfer_syntaxes.contains(&known.transfer_syntax) {
                true => ContextOutcome::accepted(known.transfer_syntax),
                false => ContextOutcome::refused(
                    ProviderReason::PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED,
                ),
            };
        }
        let understood = offered
            .transfer_syntaxes
            .iter()
            .find_map(|syntax| Some((*syntax, syntax.transfer_syntax()?)));
        let Some((transfer_syntax, syntax)) = understood else {
            return ContextOutcome::refused(
                ProviderReason::PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED,
            );
        };
        if self.contexts.len() >= PRESENTATION_CONTEXTS_MAX {
            return ContextOutcome::refused(ProviderReason::LOCAL_LIMIT_EXCEEDED);
        }
        self.contexts.push(Accepted {
            context_id: offered.context_id,
            transfer_syntax,
            syntax,
        });
        ContextOutcome::accepted(transfer_syntax)
    }
}

/// MS-RPCE 3.3.1.5.3: bind-time feature negotiation is answered with the features in common.
fn confirm(offered: BindTimeFeatures) -> ContextOutcome {
    let [low, high, ..] = (offered.0 & FEATURES.0).to_le_bytes();
    ContextOutcome {
        result: ResultCode::NEGOTIATE_ACK,
        reason: ProviderReason(u16::from_le_bytes([low, high])),
        transfer_syntax: SyntaxId::NIL,
    }
}
