//! C706 12.6.4.3 bind and 12.6.4.1 alter_context, which has the same form.

use crate::ParseError;
use crate::ndr::{Reader, Writer};
use crate::rpce::SyntaxId;

/// C706 12.6.4.3: a client offers presentation contexts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// The longest fragment that the client will send, in bytes.
    pub max_xmit_frag: u16,
    /// The longest fragment that the client takes, in bytes.
    pub max_recv_frag: u16,
    /// An association group to join; 0 asks for a new one.
    pub assoc_group_id: u32,
    /// Reserved byte behind the count of contexts.
    pub reserved: u8,
    /// Reserved two bytes behind that.
    pub reserved2: u16,
    /// `p_context_elem`; its count travels in one byte, and only the first 255 are emitted.
    pub contexts: Vec<ContextElement>,
}

/// C706 12.6.3.1 `p_cont_elem_t`: one interface and the transfer syntaxes offered for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextElement {
    /// `p_cont_id`: names the context in requests.
    pub context_id: u16,
    /// Reserved byte behind the count of transfer syntaxes.
    pub reserved: u8,
    /// The interface.
    pub abstract_syntax: SyntaxId,
    /// What is offered; the count travels in one byte, and only the first 255 are emitted.
    pub transfer_syntaxes: Vec<SyntaxId>,
}

impl ContextElement {
    /// One context that offers `transfer_syntaxes`.
    #[must_use]
    pub fn new(
        context_id: u16,
        abstract_syntax: SyntaxId,
        transfer_syntaxes: Vec<SyntaxId>,
    ) -> Self {
        ContextElement {
            context_id,
            reserved: 0,
            abstract_syntax,
            transfer_syntaxes,
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        reader.align("p_cont_elem", 4)?;
        let context_id = reader.u16("p_cont_id")?;
        let count = reader.u8("n_transfer_syn")?;
        let reserved = reader.u8("reserved")?;
        let abstract_syntax = SyntaxId::parse(reader, "abstract_syntax")?;
        // The count is one byte, and each element is read before room is made for the next.
        let transfer_syntaxes = (0..count)
            .map(|_| SyntaxId::parse(reader, "transfer_syntaxes"))
            .collect::<Result<_, _>>()?;
        Ok(ContextElement {
            context_id,
            reserved,
            abstract_syntax,
            transfer_syntaxes,
        })
    }

    fn emit(&self, writer: &mut Writer) {
        let (count, transfer_syntaxes) = counted(&self.transfer_syntaxes);
        writer.align(4);
        writer.u16(self.context_id).u8(count).u8(self.reserved);
        self.abstract_syntax.emit(writer);
        for syntax in transfer_syntaxes {
            syntax.emit(writer);
        }
    }
}

impl Bind {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let max_xmit_frag = reader.u16("max_xmit_frag")?;
        let max_recv_frag = reader.u16("max_recv_frag")?;
        let assoc_group_id = reader.u32("assoc_group_id")?;
        let count = reader.u8("n_context_elem")?;
        let reserved = reader.u8("reserved")?;
        let reserved2 = reader.u16("reserved2")?;
        let contexts = (0..count)
            .map(|_| ContextElement::parse(reader))
            .collect::<Result<_, _>>()?;
        Ok(Bind {
            max_xmit_frag,
            max_recv_frag,
            assoc_group_id,
            reserved,
            reserved2,
            contexts,
        })
    }

    pub(super) fn emit(&self, writer: &mut Writer) {
        let (count, contexts) = counted(&self.contexts);
        writer
            .u16(self.max_xmit_frag)
            .u16(self.max_recv_frag)
            .u32(self.assoc_group_id)
            .u8(count)
            .u8(self.reserved)
            .u16(self.reserved2);
        for context in contexts {
            context.emit(writer);
        }
    }
}

/// As many elements as a count of one byte can state, and that count.
pub(super) fn counted<T>(elements: &[T]) -> (u8, &[T]) {
    let count = u8::try_from(elements.len()).unwrap_or(u8::MAX);
    let some = elements.get(..usize::from(count)).unwrap_or(elements);
    (count, some)
}
