//! The first administrator. A marker beside the users says that there was one, whatever became of it: the secret that
//! makes it is good once.

use haulout_domain::identity::User;

use super::{
    Directory, DirectoryError, Item, TRIES, text,
    transaction::{Outcome, put},
    users::{FREE, item},
};

/// The marker's key. No username begins like this.
const MARKER: &str = "#bootstrap";

impl Directory {
    /// Makes the first administrator, unless there was one before or somebody has the name or had it. Whether it is this
    /// one.
    pub async fn bootstrap(&self, user: &User) -> Result<bool, DirectoryError> {
        let marker = Item::from([
            ("username".to_owned(), text(MARKER)),
            ("made".to_owned(), text(user.username.as_str())),
            ("made_at".to_owned(), text(user.created_at.to_string())),
        ]);
        let items = [
            put(&self.users, item(user)?, FREE, [])?,
            put(&self.users, marker, FREE, [])?,
        ];
        for tries in 1..=TRIES {
            match self.write_all(&items, user.id).await? {
                Outcome::Done => return Ok(true),
                Outcome::Refused(_) => return Ok(false),
                Outcome::Met => self.pause(tries).await,
            }
        }
        Err(DirectoryError::Conflict(user.username.clone()))
    }

    /// There was a first administrator.
    pub async fn is_bootstrapped(&self) -> Result<bool, DirectoryError> {
        Ok(self.users_item(MARKER).await?.is_some())
    }
}
