//! smb2
