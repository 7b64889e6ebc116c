//! RFC 4178 and MS-SPNG: SPNEGO around NTLM.
