//! MS-SMB2 2.2.2 ERROR Response: what comes instead of a command's own response.

use crate::emit::Writer;
use crate::error::{Layer, ParseError};
use crate::parse::{PResult, run};
use crate::smb2::body::open;
use crate::smb2::codec::{Fixed, len32, read, read_bytes, within};
use crate::smb2::codec::{codes, structure};
use crate::smb2::layout::Part;
use crate::smb2::{Body, DATA_MAX, LIST_MAX};
use crate::smb2::{Command, Layout, NtStatus};

codes! {
    /// MS-SMB2 2.2.2.1: what an error context is about.
    ErrorId(u32) {
        DEFAULT = 0x0000_0000,
        SHARE_REDIRECT = 0x7264_5253,
    }
}

structure! {
    /// MS-SMB2 2.2.2.1 SMB2 ERROR Context Response, of dialect 3.1.1.
    pub struct ErrorContext {
        /// What the data is.
        pub error_id: ErrorId,
        /// The data.
        pub error_context_data: Vec<u8>,
    }
}

structure! {
    /// MS-SMB2 2.2.2 SMB2 ERROR Response.
    pub struct Response {
        /// How many contexts `error_data` holds in dialect 3.1.1; reserved before.
        pub error_context_count: u8,
        /// Reserved.
        pub reserved: u8,
        /// The data; see [`Response::contexts`]. A canonical empty one sends one zero byte.
        pub error_data: Vec<u8>,
        /// What follows it.
        pub layout: Layout,
    }
}

/// MS-SMB2 3.3.4.4: whether a response of `command` with `status` has the ERROR body.
///
/// An IOCTL with `INVALID_PARAMETER` may have either body (copy chunk reports its limits with it);
/// the answer here is the ERROR body, and [`crate::smb2::Message`] looks at `StructureSize`.
#[must_use]
pub fn is_error_response(command: Command, status: NtStatus) -> bool {
    match status {
        NtStatus::MORE_PROCESSING_REQUIRED => command != Command::SESSION_SETUP,
        NtStatus::BUFFER_OVERFLOW => !matches!(
            command,
            Command::QUERY_INFO | Command::IOCTL | Command::READ | Command::QUERY_DIRECTORY
        ),
        NtStatus::NOTIFY_ENUM_DIR => command != Command::CHANGE_NOTIFY,
        NtStatus::PENDING => true,
        _ => !status.is_success(),
    }
}

impl Body for Response {
    /// The ERROR body belongs to every command; this constant is that of the first.
    const COMMAND: Command = Command::NEGOTIATE;
    const STRUCTURE_SIZE: u16 = 9;

    fn read_body(message: &[u8]) -> PResult<'_, Self> {
        let mut rest = open(message, Self::STRUCTURE_SIZE)?;
        let error_context_count = read(&mut rest, "ErrorContextCount")?;
        let reserved = read(&mut rest, "Reserved")?;
        let length: u32 = read(&mut rest, "ByteCount")?;
        within(rest, "ByteCount", length as usize, DATA_MAX)?;
        let fixed_end = message.len() - rest.len();
        let area = rest;
        let data = read_bytes(&mut rest, "ErrorData", length as usize)?;
        let parts = [Part::new(data, 1)];
        let response = Response {
            error_context_count,
            reserved,
            error_data: data.to_vec(),
            layout: Layout::detect(fixed_end, 1, &parts, &[len32(fixed_end)], area),
        };
        Ok((&[], response))
    }

    fn write_body(&self, out: &mut Writer) {
        let placed = self
            .layout
            .place(out.len() + 8, 1, &[Part::new(&self.error_data, 1)]);
        out.u16(Self::STRUCTURE_SIZE)
            .u8(self.error_context_count)
            .u8(self.reserved)
            .u32(len32(self.error_data.len()))
            .bytes(&placed.area);
    }
}

impl Response {
    /// A response that carries these contexts, in the form of dialect 3.1.1.
    #[must_use]
    pub fn from_contexts(contexts: &[ErrorContext]) -> Self {
        let mut out = Writer::new();
        for context in contexts {
            out.align(8);
            out.u32(len32(context.error_context_data.len()));
            context.error_id.write(&mut out);
            out.bytes(&context.error_context_data);
        }
        Response {
            error_context_count: u8::try_from(contexts.len()).unwrap_or(u8::MAX),
            error_data: out.into_bytes(),
            ..Response::default()
        }
    }

    /// The contexts in `error_data`; only dialect 3.1.1 has them.
    ///
    /// # Errors
    /// The first field that could not be read, with its offset from the start of `error_data`.
    pub fn contexts(&self) -> Result<Vec<ErrorContext>, ParseError> {
        let count = usize::from(self.error_context_count);
        run(Layer::Smb2, &self.error_data, |data| {
            read_contexts(data, count)
        })
        .map(|(contexts, _)| contexts)
    }
}

fn read_contexts(data: &[u8], count: usize) -> PResult<'_, Vec<ErrorContext>> {
    within(data, "ErrorContextCount", count, LIST_MAX)?;
    let mut rest = data;
    let mut contexts = Vec::new();
    for _ in 0..count {
        let at = data.len() - rest.len();
        read_bytes(&mut rest, "Padding", at.next_multiple_of(8) - at)?;
        let length: u32 = read(&mut rest, "ErrorDataLength")?;
        let error_id = read(&mut rest, "ErrorId")?;
        let bytes = read_bytes(&mut rest, "ErrorContextData", length as usize)?;
        contexts.push(ErrorContext {
            error_id,
            error_context_data: bytes.to_vec(),
        });
    }
    Ok((rest, contexts))
}

#[cfg(test)]
mod tests {
    use super::{ErrorContext, Response, is_error_response};
    use crate::smb2::sample::Sample;
    use crate::smb2::{Command, NtStatus};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn contexts_survive_the_wire(contexts in Vec::<ErrorContext>::sample()) {
            prop_assert_eq!(Response::from_contexts(&contexts).contexts().unwrap(), contexts);
        }

        #[test]
        fn broken_contexts_are_refused_in_peace(response in Response::sample()) {
            if let Ok(contexts) = response.contexts() {
                prop_assert_eq!(contexts.len(), usize::from(response.error_context_count));
            }
        }
    }

    #[test]
    fn some_failures_keep_the_body_of_their_command() {
        let error = is_error_response;
        assert!(!error(
            Command::SESSION_SETUP,
            NtStatus::MORE_PROCESSING_REQUIRED
        ));
        assert!(!error(Command::IOCTL, NtStatus::BUFFER_OVERFLOW));
        assert!(!error(Command::CHANGE_NOTIFY, NtStatus::NOTIFY_ENUM_DIR));
        assert!(!error(Command::CREATE, NtStatus::SUCCESS));
        assert!(error(Command::CREATE, NtStatus::BUFFER_OVERFLOW));
        assert!(error(Command::READ, NtStatus::PENDING));
        assert!(error(Command::QUERY_DIRECTORY, NtStatus::NO_MORE_FILES));
        assert!(error(Command::SESSION_SETUP, NtStatus::LOGON_FAILURE));
    }
}
