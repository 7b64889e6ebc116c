//! The security descriptors that were set for shares (MS-SRVS 3.1.4.11), which the configuration
//! does not know.

use super::{Store, StoreError, text};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use std::collections::BTreeMap;

/// Share name in small letters to self-relative security descriptor (MS-DTYP 2.4.6).
const DESCRIPTORS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("descriptors");

impl Store {
    /// The descriptors that were set, by share name in small letters.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn descriptors(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let read = self.with(|database| {
            let transaction = database.begin_read().map_err(text)?;
            let table = match transaction.open_table(DESCRIPTORS) {
                // None was ever set.
                Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
                table => table.map_err(text)?,
            };
            let rows = table.iter().map_err(text)?.map(|row| {
                let (name, bytes) = row.map_err(text)?;
                Ok((name.value().to_owned(), bytes.value().to_vec()))
            });
            rows.collect()
        });
        read.map_err(|reason| self.failed(reason))
    }

    /// Keeps the descriptor of a share; when it returns it is on the disk.
    ///
    /// # Errors
    /// The transaction failed, and the store holds what it held before.
    pub fn set_descriptor(&self, share: &str, descriptor: &[u8]) -> Result<(), StoreError> {
        let written = self.with(|database| {
            let transaction = database.begin_write().map_err(text)?;
            transaction
                .open_table(DESCRIPTORS)
                .map_err(text)?
                .insert(share.to_lowercase().as_str(), descriptor)
                .map_err(text)?;
            transaction.commit().map_err(text)
        });
        written.map_err(|reason| self.failed(reason))
    }

    /// Forgets the descriptors of shares that are gone for good.
    ///
    /// # Errors
    /// The transaction failed, and the store holds what it held before.
    pub fn forget_descriptors(&self, shares: &[String]) -> Result<(), StoreError> {
        let kept = self.descriptors()?;
        let gone: Vec<String> = shares.iter().map(|name| name.to_lowercase()).collect();
        if !gone.iter().any(|name| kept.contains_key(name)) {
            return Ok(());
        }
        let written = self.with(|database| {
            let transaction = database.begin_write().map_err(text)?;
            {
                let mut table = transaction.open_table(DESCRIPTORS).map_err(text)?;
                for name in &gone {
                    table.remove(name.as_str()).map_err(text)?;
                }
            }
            transaction.commit().map_err(text)
        });
        written.map_err(|reason| self.failed(reason))
    }
}

#[cfg(test)]
mod tests {
    use crate::store::Store;

    #[test]
    fn a_descriptor_is_there_after_reopening_until_its_share_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        {
            let store = Store::open(dir.path()).expect("opens");
            assert!(store.descriptors().expect("reads").is_empty());
            store.forget_descriptors(&["x".to_owned()]).expect("none");
            store.set_descriptor("Data", b"old").expect("set");
            store.set_descriptor("DATA", b"new").expect("set");
            store.set_descriptor("data@{1}", b"copy").expect("set");
        }
        let store = Store::open(dir.path()).expect("opens again");
        let kept = store.descriptors().expect("reads");
        assert_eq!(kept.get("data").map(Vec::as_slice), Some(b"new".as_slice()));
        assert_eq!(kept.len(), 2);
        let copy = "Data@{1}".to_owned();
        store.forget_descriptors(&[copy]).expect("forgotten");
        assert_eq!(store.descriptors().expect("reads").len(), 1);
    }
}
