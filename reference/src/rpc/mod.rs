//! DCE/RPC endpoints on named pipes, sans-IO.
