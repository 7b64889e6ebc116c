//! MS-SMB2 3.3.1.1, 3.3.5.2.3: which message ids a client may use, and how many more it gets.

use std::collections::BTreeSet;

/// The most message ids that a client can hold unused at a time.
pub const CREDITS_MAX: u64 = 8192;

/// A message id that was used before, or that was never granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message id {0} is used or was never granted")]
pub struct OutOfWindow(pub u64);

/// The message ids of one connection.
///
/// INVARIANT: `used` holds only ids in `first_unused..end`, and never `first_unused` itself.
#[derive(Debug, Clone)]
pub struct Window {
    first_unused: u64,
    end: u64,
    used: BTreeSet<u64>,
}

impl Default for Window {
    /// A connection begins with the one id 0, for its NEGOTIATE.
    fn default() -> Self {
        Window {
            first_unused: 0,
            end: 1,
            used: BTreeSet::new(),
        }
    }
}

impl Window {
    /// Uses `charge` ids from `message_id` on; a charge of 0 counts as 1.
    ///
    /// # Errors
    /// The first id that may not be used; then none of them is.
    pub fn take(&mut self, message_id: u64, charge: u16) -> Result<(), OutOfWindow> {
        let after = message_id
            .checked_add(u64::from(charge.max(1)))
            .ok_or(OutOfWindow(message_id))?;
        for id in message_id..after {
            if id < self.first_unused || id >= self.end || self.used.contains(&id) {
                return Err(OutOfWindow(id));
            }
        }
        self.used.extend(message_id..after);
        while self.used.remove(&self.first_unused) {
            self.first_unused += 1;
        }
        Ok(())
    }

    /// Grants what was `asked` as far as it fits, and at least one.
    pub fn grant(&mut self, asked: u16) -> u16 {
        let room = CREDITS_MAX.saturating_sub(self.unused());
        let granted = u64::from(asked).min(room).max(1);
        self.end += granted;
        u16::try_from(granted).unwrap_or(1)
    }

    /// How many ids the client holds.
    #[must_use]
    pub fn unused(&self) -> u64 {
        let used = u64::try_from(self.used.len()).unwrap_or(u64::MAX);
        (self.end - self.first_unused).saturating_sub(used)
    }
}

#[cfg(test)]
mod tests {
    use super::{CREDITS_MAX, OutOfWindow, Window};
    use proptest::prelude::*;

    #[test]
    fn a_connection_starts_with_one_id() {
        let mut window = Window::default();
        assert_eq!(window.take(1, 1), Err(OutOfWindow(1)));
        assert_eq!(window.take(0, 0), Ok(()));
        assert_eq!(window.take(0, 1), Err(OutOfWindow(0)));
    }

    #[test]
    fn a_charge_takes_that_many_ids_or_none() {
        let mut window = Window::default();
        window.grant(3);
        assert_eq!(window.take(1, 4), Err(OutOfWindow(4)));
        assert_eq!(window.take(1, 3), Ok(()));
        assert_eq!(window.take(2, 1), Err(OutOfWindow(2)));
        assert_eq!(window.take(0, 1), Ok(()));
        assert_eq!(window.unused(), 0);
    }

    #[test]
    fn the_last_message_id_of_all_is_no_way_round() {
        let mut window = Window::default();
        assert!(window.take(u64::MAX, 2).is_err());
    }

    proptest! {
        #[test]
        fn no_id_is_used_twice_and_no_client_starves(
            steps in proptest::collection::vec((0_u64..700, 0_u16..5, any::<u16>()), 1..200),
        ) {
            let mut window = Window::default();
            let mut seen = std::collections::HashSet::new();
            for (id, charge, asked) in steps {
                if window.take(id, charge).is_ok() {
                    for used in id..id + u64::from(charge.max(1)) {
                        prop_assert!(seen.insert(used));
                    }
                    prop_assert!(window.grant(asked) >= 1);
                }
                prop_assert!(window.unused() <= CREDITS_MAX + 1);
            }
        }
    }
}
