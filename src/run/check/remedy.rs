//! What to do where a server cannot be judged at all.

use crate::drive::{CONNECT_IPC, DriveError, NEGOTIATE, OPEN_PIPE};
use fsrvp_wire::smb2::NtStatus;

/// What a user does about `source`, in one clause.
pub(super) fn remedy(source: &DriveError) -> &'static str {
    match source {
        DriveError::Connect { .. } => "start the server, or set host and port of the target",
        DriveError::Closed { .. } | DriveError::Io { .. } => {
            "see whether the server lets this address in, and speaks SMB 2 or 3 there"
        }
        DriveError::Silence { .. } => {
            "see whether the server hangs, or something else listens there"
        }
        DriveError::Logon { status, .. } => of_logon(*status),
        DriveError::Guest { .. } => {
            "correct user and password, and switch the fall-back to guests off (Samba: \
             map to guest = never): a guest has no backup rights"
        }
        DriveError::Encryption { .. } => {
            "let the server take this user's sessions without encryption: the client signs, and \
             does not encrypt"
        }
        DriveError::NotSigned { .. } => {
            "let the server sign, or set signing = false in smb of the target"
        }
        DriveError::Refused { during, status } => of_refusal(during, *status),
        DriveError::Share { .. } => "correct the target file, or let the user in there",
        DriveError::BindRefused(_) => "set rpc_auth of the target",
        DriveError::Unreadable { .. } | DriveError::Misbehaved { .. } | DriveError::Own(_) => {
            "see whether the target speaks SMB 2 or 3 there, and NTLM"
        }
    }
}

/// Of an answer to SESSION_SETUP.
fn of_logon(status: NtStatus) -> &'static str {
    match status {
        NtStatus::NTLM_BLOCKED | NtStatus::NOT_SUPPORTED | NtStatus::NOT_IMPLEMENTED => {
            "allow NTLM for this user, since Kerberos is not spoken here (Windows: the policies \
             Restrict NTLM; Samba: ntlm auth = ntlmv2-only)"
        }
        NtStatus::LOGON_FAILURE
        | NtStatus::WRONG_PASSWORD
        | NtStatus::NO_SUCH_USER
        | NtStatus::NO_SUCH_DOMAIN => "correct user, password and domain of the target",
        NtStatus::ACCOUNT_LOCKED_OUT => {
            "unlock the account, and correct the password before the next run locks it again"
        }
        NtStatus::ACCOUNT_DISABLED | NtStatus::ACCOUNT_EXPIRED => {
            "enable the account, or set another one in the target"
        }
        NtStatus::PASSWORD_EXPIRED | NtStatus::PASSWORD_MUST_CHANGE => {
            "give the account a new password, and set it in the target"
        }
        NtStatus::ACCOUNT_RESTRICTION
        | NtStatus::INVALID_LOGON_HOURS
        | NtStatus::INVALID_WORKSTATION
        | NtStatus::LOGON_TYPE_NOT_GRANTED => {
            "let the account log on over the network, now and from here, with a password that is \
             not empty"
        }
        NtStatus::ACCESS_DENIED => {
            "let the account log on over the network, and let the server not demand encryption, \
             which this client lacks"
        }
        _ => "set the account of the target, name and password",
    }
}

/// Of an answer that refuses what has to be granted before the first call.
fn of_refusal(during: &str, status: NtStatus) -> &'static str {
    match (during, status) {
        (NEGOTIATE, _) => "set dialects in smb of the target to what the server speaks",
        (_, NtStatus::ACCESS_DENIED | NtStatus::NETWORK_ACCESS_DENIED) => {
            "let the account reach IPC$ and the pipe FssagentRpc"
        }
        (OPEN_PIPE, _) => {
            "install and start the agent (Windows Server: the role service File Server VSS Agent \
             Service, FS-VSS-Agent; Samba: rpc start on demand helpers = yes, and rpcd_fsrvp beside \
             samba-dcerpcd)"
        }
        (CONNECT_IPC, _) => "let the server share IPC$ with the account",
        _ => "see what the server's log says of it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logon(status: NtStatus) -> &'static str {
        let user = "backup".to_owned();
        remedy(&DriveError::Logon { user, status })
    }

    #[test]
    fn each_way_to_be_kept_out_has_a_remedy_of_its_own() {
        let kept_out = [
            NtStatus::NTLM_BLOCKED,
            NtStatus::LOGON_FAILURE,
            NtStatus::ACCOUNT_LOCKED_OUT,
            NtStatus::ACCOUNT_DISABLED,
            NtStatus::PASSWORD_EXPIRED,
            NtStatus::LOGON_TYPE_NOT_GRANTED,
            NtStatus::ACCESS_DENIED,
        ];
        let remedies: std::collections::BTreeSet<_> = kept_out.map(logon).into();
        assert_eq!(remedies.len(), kept_out.len());
        assert!(logon(NtStatus::NOT_SUPPORTED).contains("NTLM"));
    }

    #[test]
    fn a_server_that_does_not_sign_or_has_no_agent_is_told_apart() {
        let refused = |during, status| remedy(&DriveError::Refused { during, status });
        let missing = refused(OPEN_PIPE, NtStatus::OBJECT_NAME_NOT_FOUND);
        assert!(missing.contains("FS-VSS-Agent"), "{missing}");
        let denied = refused(OPEN_PIPE, NtStatus::ACCESS_DENIED);
        assert!(denied.contains("account"), "{denied}");
        let dialect = refused(NEGOTIATE, NtStatus::NOT_SUPPORTED);
        assert!(dialect.contains("dialects"), "{dialect}");
        let (during, status) = ("logon", NtStatus::SUCCESS);
        let unsigned = remedy(&DriveError::NotSigned { during, status });
        assert!(unsigned.contains("signing = false"), "{unsigned}");
    }
}
