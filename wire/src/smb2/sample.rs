//! Strategies that fill messages for the round-trip laws.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::strategy::BoxedStrategy;
use uuid::Uuid;

/// A type that the laws can fill with random values.
pub(crate) trait Sample: Sized + std::fmt::Debug + Clone + 'static {
    /// Any value that `emit` and `parse` must carry unchanged.
    fn sample() -> BoxedStrategy<Self>;
}

macro_rules! sample_any {
    ($($ty:ty),*) => {$(
        impl Sample for $ty {
            fn sample() -> BoxedStrategy<Self> {
                any::<$ty>().boxed()
            }
        }
    )*};
}

sample_any!(u8, u16, u32, u64);

impl<const N: usize> Sample for [u8; N] {
    fn sample() -> BoxedStrategy<Self> {
        any::<[u8; N]>().boxed()
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample() -> BoxedStrategy<Self> {
        vec(T::sample(), 0..12).boxed()
    }
}

impl Sample for Uuid {
    fn sample() -> BoxedStrategy<Self> {
        any::<u128>().prop_map(Uuid::from_u128).boxed()
    }
}

impl Sample for crate::smb2::Layout {
    fn sample() -> BoxedStrategy<Self> {
        Just(crate::smb2::Layout::Canonical).boxed()
    }
}

impl Sample for crate::smb2::Utf16 {
    fn sample() -> BoxedStrategy<Self> {
        vec(any::<u16>(), 0..12)
            .prop_map(crate::smb2::Utf16)
            .boxed()
    }
}
