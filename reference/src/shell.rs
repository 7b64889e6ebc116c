//! Sockets, timers and blocking work.
