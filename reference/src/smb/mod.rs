//! The SMB2/3 server, sans-IO.
