//! MS-FSRVP 3.1.2: how long the Message Sequence Timer runs after each event.

use std::time::Duration;

/// After SetContext (3.1.4.2) succeeds.
pub const AFTER_SET_CONTEXT: Duration = SHORT;
/// After StartShadowCopySet (3.1.4.3) succeeds.
pub const AFTER_START: Duration = SHORT;
/// After AddToShadowCopySet (3.1.4.4) succeeds.
pub const AFTER_ADD: Duration = LONG;
/// After AddToShadowCopySet (3.1.4.4) met a file store that is in the set already.
pub const AFTER_ADD_EXISTS: Duration = SHORT;
/// After PrepareShadowCopySet (3.1.4.13) succeeds.
pub const AFTER_PREPARE: Duration = LONG;
/// After PrepareShadowCopySet (3.1.4.13) failed past its state check.
pub const AFTER_PREPARE_FAILED: Duration = SHORT;
/// After CommitShadowCopySet (3.1.4.5), whatever its outcome past the state check.
pub const AFTER_COMMIT: Duration = SHORT;
/// After ExposeShadowCopySet (3.1.4.6), whatever its outcome past the state check.
pub const AFTER_EXPOSE: Duration = SHORT;
/// After GetShareMapping (3.1.4.11) succeeds.
pub const AFTER_GET_SHARE_MAPPING: Duration = LONG;

const SHORT: Duration = Duration::from_secs(180);
const LONG: Duration = Duration::from_secs(1800);
