//! The keys beside a capture: for `fsrvp decode`, and for Wireshark as far as that takes them.

use crate::case::Timers;
use crate::drive::LogonKey;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the keys file beside a capture, where `fsrvp decode` finds it.
pub(super) fn beside(capture: &Path) -> PathBuf {
    capture.with_extension("keys.toml")
}

/// How a keys file begins.
pub(in crate::run::check) fn head(timers: Timers) -> String {
    let mut text =
        "# Keys of single logons, for fsrvp decode: they open this capture and nothing else.\n"
            .to_owned();
    match timers {
        Timers::Scale(scale) => {
            let _ = writeln!(text, "timers = {{ scale = {scale:?} }}");
        }
        Timers::Fixed(duration) => {
            let seconds = duration.as_secs_f64();
            let _ = writeln!(text, "timers = {{ fixed_s = {seconds:?} }}");
        }
        Timers::Ours => text += "timers = \"moved\"\n",
        Timers::Unknown => {}
    }
    text
}

/// The entry of one logon.
pub(super) fn entry(key: &LogonKey) -> Zeroizing<String> {
    let (table, name, id, session_key) = match key {
        LogonKey::Smb {
            session_id,
            session_key,
        } => {
            let id = session_id.to_le_bytes();
            ("smb_session", "session_id", hex(&id), session_key)
        }
        LogonKey::Rpc { proof, session_key } => ("ntlm_logon", "proof", hex(proof), session_key),
    };
    let session_key = hex(session_key.as_bytes());
    Zeroizing::new(format!(
        "\n[[{table}]]\n{name} = \"{}\"\nsession_key = \"{}\"\n",
        *id, *session_key
    ))
}

/// A keys file of these logons.
pub(super) fn file(head: &str, keys: &[LogonKey]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(head.to_owned());
    for key in keys {
        text.push_str(&entry(key));
    }
    text
}

/// What to tell Wireshark: how to open the capture, and what it then cannot show.
pub(super) fn wireshark(ports: &[u16], keys: &[LogonKey]) -> Zeroizing<String> {
    let mut options = Zeroizing::new(String::new());
    for port in ports.iter().filter(|port| **port != SMB_PORT) {
        let _ = write!(options, " \\\n  -d tcp.port=={port},nbss");
    }
    for key in keys {
        if let LogonKey::Smb {
            session_id,
            session_key,
        } = key
        {
            let (id, session_key) = (hex(&session_id.to_le_bytes()), hex(session_key.as_bytes()));
            let _ = write!(
                options,
                " \\\n  -o 'uat:smb2_seskey_list:{},{},\"\",\"\"'",
                *id, *session_key
            );
        }
    }
    Zeroizing::new(format!(
        "wireshark -r traffic.pcapng{}\n{WIRESHARK_NOTES}",
        *options
    ))
}

/// Where Wireshark looks for SMB without being told.
const SMB_PORT: u16 = 445;

const WIRESHARK_NOTES: &str = "
tshark takes the same options. Ports that are not 445 have to be named; the keys are those of the
SMB sessions, with which Wireshark opens SMB3 encryption where there is any.

Of RPC that is sealed (level privacy) Wireshark shows the methods, and neither parameters nor codes:
that takes the user's password or NT hash, which are not in here; and Wireshark 4.0 reads it wrong
even then where NTLM stands inside of SPNEGO. `fsrvp decode traffic.pcapng` reads it with
traffic.keys.toml. And Wireshark calls the first NEGOTIATE response malformed, as it does that of
other servers: it expects something else where the server's hint stands.
";

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use fsrvp_wire::security::Secret;

    #[test]
    fn wireshark_is_told_ports_and_keys_in_the_form_that_it_takes() {
        let keys = [
            LogonKey::Smb {
                session_id: 0x0102,
                session_key: Secret::new([0xab; 16]),
            },
            LogonKey::Rpc {
                proof: [1; 16],
                session_key: Secret::new([2; 16]),
            },
        ];
        let text = wireshark(&[445, 4455], &keys);
        let (command, _) = text.split_once("\n\n").unwrap();
        let wanted = "wireshark -r traffic.pcapng \\\n  -d tcp.port==4455,nbss \\\n  -o \
                      'uat:smb2_seskey_list:0201000000000000,abababababababababababababababab,\"\",\"\"'";
        assert_eq!(command, wanted);
    }

    #[test]
    fn a_keys_file_tells_the_timers_of_the_server() {
        assert!(head(Timers::Scale(1.0)).ends_with("\ntimers = { scale = 1.0 }\n"));
        assert!(
            head(Timers::Fixed(std::time::Duration::from_millis(2500))).contains("fixed_s = 2.5")
        );
        assert!(!head(Timers::Unknown).contains("timers"));
    }
}
