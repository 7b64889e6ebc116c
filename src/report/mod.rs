//! From a ledger to text, JSON and JUnit.
