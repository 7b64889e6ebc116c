//! MS-FSRVP 3.1: the agent as a sans-IO state machine.
