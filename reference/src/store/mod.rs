//! The configuration store of MS-FSRVP 3.1.3 and 3.1.4.
