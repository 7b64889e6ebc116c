//! Who is on the other side: NTLM (MS-NLMP) and its wrapping by SPNEGO (RFC 4178, MS-SPNG), for
//! both roles.
//!
//! **Architectural invariants**
//! - Sans-IO: tokens come in and go out; challenges, keys and times are handed in.
//! - An acceptor compares the proof in constant time before it believes anything else, and an
//!   unknown user costs it the same work as a known one.
//! - Passwords, hashes and keys never show in `Debug` output and are wiped when dropped.

pub mod ntlm;
pub mod spnego;
