//! NetBIOS session service framing.
