//! From streams to exchanges.
