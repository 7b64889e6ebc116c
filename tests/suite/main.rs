//! House rules, traceability, the command line and the decoder, as ordinary tests.

mod archive;
mod cli;
mod decode;
mod diff;
mod explain;
mod gone;
mod judge;
mod judge_client;
mod keys;
mod lifecycles;
mod listing;
mod malformed;
mod profiles;
mod raw;
mod readme;
mod report;
mod robust;
mod server;
mod single_node;
mod tidy;
mod timeline;
mod trace;
mod tree;
mod wrong;
