//! rpce
