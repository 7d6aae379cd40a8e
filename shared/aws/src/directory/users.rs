//! Users, read and made. The name is the key: two of one name cannot be. Of a user who was deleted the name stays, so that
//! nobody who registers it has what was made under it.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use haulout_domain::identity::{User, Username};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Directory, DirectoryError, Item, TRIES, number, text,
    transaction::{Outcome, put},
};
use crate::error::AwsError;

/// The one key of the index over all users. The marker of the first administrator has none, nor have deleted users.
const KIND: &str = "user";
/// Nobody has the name, or had it.
pub(super) const FREE: &str = "attribute_not_exists(username)";
/// Nobody has the name.
const FREE_NOW: &str = "attribute_not_exists(username) OR attribute_exists(deleted_at)";
/// What an item has that is left of a user.
const DELETED_AT: &str = "deleted_at";
/// How long a registration's key is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// A registration as its caller tells it from others, so that it can be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Digest of caller and key: unique among all registrations.
    pub scope: String,
    /// Digest of what was asked for, without the password.
    pub fingerprint: String,
}

/// Which names a new user may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those that nobody had before.
    Unused,
    /// Also those of deleted users: whoever gets one owns what is under it.
    Free,
}

impl Names {
    fn condition(self) -> &'static str {
        match self {
            Self::Unused => FREE,
            Self::Free => FREE_NOW,
        }
    }
}

/// How making a user went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// The user is new.
    New,
    /// Another one has the name, or had it.
    NameTaken,
    /// The same registration was made before.
    Before {
        /// The id of the user it made.
        user_id: Uuid,
        /// What it asked for.
        fingerprint: String,
    },
}

/// Some users.
#[derive(Debug, Clone)]
pub struct UsersPage {
    /// They, by name.
    pub users: Vec<User>,
    /// Where the next page starts: after this one. Nothing at the end of the list.
    pub next: Option<Username>,
}

/// A registration as it is stored in `tokens`.
#[derive(Debug, Serialize, Deserialize)]
struct StoredRegistration {
    id: String,
    fingerprint: String,
    user_id: Uuid,
    purge_at: i64,
}

impl Directory {
    /// The user as it is now (a strongly consistent read).
    pub async fn user(&self, username: &Username) -> Result<Option<User>, DirectoryError> {
        let item = self.users_item(username.as_str()).await?;
        item.map_or(Ok(None), read)
    }

    /// Any item of the users' table.
    pub(super) async fn users_item(&self, key: &str) -> Result<Option<Item>, DirectoryError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.users)
            .key("username", text(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| AwsError::new("GetItem", error))?;
        Ok(answer.item)
    }

    /// Writes a new user, if the name may be had. One that was written before its answer was lost is new still;
    /// with a registration, that holds for requests of the same one too, for a day.
    pub async fn create_user(
        &self,
        user: &User,
        names: Names,
        registration: Option<&Registration>,
        now: Timestamp,
    ) -> Result<Made, DirectoryError> {
        match registration {
            None => self.create_plain(user, names).await,
            Some(registration) => self.create_once(user, names, registration, now).await,
        }
    }

    async fn create_plain(&self, user: &User, names: Names) -> Result<Made, DirectoryError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.users)
            .set_item(Some(item(user)?))
            .condition_expression(names.condition())
            .return_values_on_condition_check_failure(AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Made::New);
        };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) =
            error.as_service_error()
        {
            // Ids are unique: the user in the way may be this one, whose first answer was lost.
            let id = failed.item().and_then(|item| item.get("id"));
            let is_ours = id == Some(&text(user.id));
            return Ok(if is_ours { Made::New } else { Made::NameTaken });
        }
        Err(AwsError::new("PutItem", error).into())
    }

    /// The user and the registration: both or none.
    async fn create_once(
        &self,
        user: &User,
        names: Names,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Made, DirectoryError> {
        let stored = StoredRegistration {
            id: format!("registration#{}", registration.scope),
            fingerprint: registration.fingerprint.clone(),
            user_id: user.id,
            purge_at: (now + REMEMBERED).as_second(),
        };
        let unused = "attribute_not_exists(id) OR purge_at <= :now";
        let items = [
            put(&self.users, item(user)?, names.condition(), [])?,
            put(
                &self.tokens,
                serde_dynamo::to_item(&stored)?,
                unused,
                [(":now", number(now.as_second()))],
            )?,
        ];
        for tries in 1..=TRIES {
            match self.write_all(&items, user.id).await? {
                Outcome::Done => return Ok(Made::New),
                Outcome::Refused(_) => {
                    let before = self.registration(&stored.id, now).await?;
                    return Ok(match before {
                        None => Made::NameTaken,
                        Some(before) if before.user_id == user.id => Made::New,
                        Some(before) => Made::Before {
                            user_id: before.user_id,
                            fingerprint: before.fingerprint,
                        },
                    });
                }
                Outcome::Met => self.pause(tries).await,
            }
        }
        Err(DirectoryError::Conflict(user.username.clone()))
    }

    async fn registration(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<StoredRegistration>, DirectoryError> {
        let item = self.tokens_item(id).await?;
        let stored: Option<StoredRegistration> = item.map(serde_dynamo::from_item).transpose()?;
        Ok(stored.filter(|stored| stored.purge_at > now.as_second()))
    }

    /// Users by name, after the one named. An index read: it may lag by a moment.
    pub async fn users_page(
        &self,
        after: Option<&Username>,
        limit: usize,
    ) -> Result<UsersPage, DirectoryError> {
        let start = after.map(|username| {
            Item::from([
                ("kind".to_owned(), text(KIND)),
                ("username".to_owned(), text(username.as_str())),
            ])
        });
        let answer = self
            .client
            .query()
            .table_name(&self.users)
            .index_name("listing")
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", text(KIND))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| AwsError::new("Query", error))?;
        let next = match answer
            .last_evaluated_key
            .unwrap_or_default()
            .get("username")
        {
            Some(AttributeValue::S(username)) => username.parse().ok(),
            _ => None,
        };
        let items = answer.items.unwrap_or_default().into_iter();
        let users: Result<_, _> = items.map(serde_dynamo::from_item).collect();
        Ok(UsersPage {
            users: users?,
            next,
        })
    }
}

/// The user in an item; nothing when the item only says that there was one.
pub(super) fn read(item: Item) -> Result<Option<User>, DirectoryError> {
    if item.contains_key(DELETED_AT) {
        return Ok(None);
    }
    Ok(Some(serde_dynamo::from_item(item)?))
}

/// What stays of a user who is deleted.
pub(super) fn remains(user: &User, now: Timestamp) -> Item {
    Item::from([
        ("username".to_owned(), text(user.username.as_str())),
        ("deleted_id".to_owned(), text(user.id)),
        (DELETED_AT.to_owned(), text(now.to_string())),
    ])
}

/// A user as it is stored: its fields, and the constant key of the index.
pub(super) fn item(user: &User) -> Result<Item, DirectoryError> {
    let mut item: Item = serde_dynamo::to_item(user)?;
    item.insert("kind".to_owned(), text(KIND));
    Ok(item)
}
