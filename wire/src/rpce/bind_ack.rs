//! C706 12.6.4.4 bind_ack and 12.6.4.2 alter_context_resp, which has the same form.

use crate::ParseError;
use crate::ndr::{Reader, Writer};
use crate::rpce::bind::counted;
use crate::rpce::{ProviderReason, ResultCode, SyntaxId};

/// C706 12.6.4.4: a server says which presentation contexts can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAck {
    /// The longest fragment that the server will send, in bytes.
    pub max_xmit_frag: u16,
    /// The longest fragment that the server takes, in bytes.
    pub max_recv_frag: u16,
    /// The association group.
    pub assoc_group_id: u32,
    /// `sec_addr`: the name of the pipe as bytes with a NUL; empty in alter_context_resp.
    pub secondary_address: Vec<u8>,
    /// Reserved byte behind the count of results.
    pub reserved: u8,
    /// Reserved two bytes behind that.
    pub reserved2: u16,
    /// One for each context of the bind, in its order; only the first 255 are emitted.
    pub results: Vec<ContextOutcome>,
}

/// C706 12.6.3.1 `p_result_t`: what became of one presentation context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextOutcome {
    /// Accepted or refused.
    pub result: ResultCode,
    /// Why it was refused; with NEGOTIATE_ACK the bits of the features.
    pub reason: ProviderReason,
    /// The transfer syntax that was chosen; nil where none was.
    pub transfer_syntax: SyntaxId,
}

impl ContextOutcome {
    /// The context can be used with this transfer syntax.
    #[must_use]
    pub fn accepted(transfer_syntax: SyntaxId) -> Self {
        ContextOutcome {
            result: ResultCode::ACCEPTANCE,
            reason: ProviderReason::REASON_NOT_SPECIFIED,
            transfer_syntax,
        }
    }

    /// The context was refused by the protocol machine.
    #[must_use]
    pub fn refused(reason: ProviderReason) -> Self {
        ContextOutcome {
            result: ResultCode::PROVIDER_REJECTION,
            reason,
            transfer_syntax: SyntaxId::NIL,
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(ContextOutcome {
            result: ResultCode(reader.u16("result")?),
            reason: ProviderReason(reader.u16("reason")?),
            transfer_syntax: SyntaxId::parse(reader, "transfer_syntax")?,
        })
    }

    fn emit(&self, writer: &mut Writer) {
        writer.u16(self.result.0).u16(self.reason.0);
        self.transfer_syntax.emit(writer);
    }
}

impl BindAck {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let max_xmit_frag = reader.u16("max_xmit_frag")?;
        let max_recv_frag = reader.u16("max_recv_frag")?;
        let assoc_group_id = reader.u32("assoc_group_id")?;
        let length = reader.u16("sec_addr length")?;
        let secondary_address = reader.bytes("sec_addr", usize::from(length))?.to_vec();
        reader.align("pad2", 4)?;
        let count = reader.u8("n_results")?;
        let reserved = reader.u8("reserved")?;
        let reserved2 = reader.u16("reserved2")?;
        let results = (0..count)
            .map(|_| ContextOutcome::parse(reader))
            .collect::<Result<_, _>>()?;
        Ok(BindAck {
            max_xmit_frag,
            max_recv_frag,
            assoc_group_id,
            secondary_address,
            reserved,
            reserved2,
            results,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        let (count, results) = counted(&self.results);
        let length = u16::try_from(self.secondary_address.len()).unwrap_or(u16::MAX);
        writer
            .u16(self.max_xmit_frag)
            .u16(self.max_recv_frag)
            .u32(self.assoc_group_id)
            .u16(length)
            .bytes(&self.secondary_address)
            .align(4)
            .u8(count)
            .u8(self.reserved)
            .u16(self.reserved2);
        for outcome in results {
            outcome.emit(writer);
        }
    }
}
