//! The two kinds of server-made ids. They are different types because GetShareMapping takes copy
//! then set, and DeleteShareMapping set then copy (MS-FSRVP 3.1.4.11, 3.1.4.12).

use std::fmt;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The nil GUID, which stands for a NULL parameter.
            pub const NIL: $name = $name(Uuid::nil());

            /// Whether this is the nil GUID.
            #[must_use]
            pub fn is_nil(self) -> bool {
                self.0.is_nil()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id! {
    /// MS-FSRVP 3.1.1.2: names a shadow copy set; made by the server.
    ShadowCopySetId
}

id! {
    /// MS-FSRVP 3.1.1.3: names a shadow copy; made by the server.
    ShadowCopyId
}
