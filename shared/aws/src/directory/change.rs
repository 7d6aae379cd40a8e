//! Users, changed and deleted. Whoever does it to another one must be an administrator still when it is written, in
//! the same transaction: two that do it to each other at once would leave a deployment without any.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem},
};
use haulout_domain::identity::{User, Username};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    Directory, DirectoryError, TRIES, number, text,
    transaction::{Outcome, check, put},
    users::{item, read, remains},
};
use crate::error::AwsError;

/// The user is the one that was read, and nobody wrote it in between.
const UNCHANGED: &str = "id = :id AND version = :version";

/// How a change went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is written.
    Yes,
    /// It is not: the user is another one by now, or gone.
    Outdated,
    /// It is not: whoever wanted it is no administrator any more.
    NotAdmin,
}

impl Directory {
    /// Writes a user over the version before it, on the user's own account.
    pub async fn update_user(&self, user: &User) -> Result<Changed, DirectoryError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.users)
            .set_item(Some(item(user)?))
            .condition_expression(UNCHANGED)
            .expression_attribute_values(":id", text(user.id))
            .expression_attribute_values(":version", number(user.version - 1))
            .return_values_on_condition_check_failure(AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Changed::Yes);
        };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) =
            error.as_service_error()
        {
            // What was written before its answer was lost is there now.
            let stored = failed.item().cloned().map_or(Ok(None), read)?;
            let is_ours = stored.as_ref() == Some(user);
            return Ok(if is_ours {
                Changed::Yes
            } else {
                Changed::Outdated
            });
        }
        Err(AwsError::new("PutItem", error).into())
    }

    /// Writes another user over the version before it, on behalf of an administrator.
    pub async fn update_other(
        &self,
        user: &User,
        admin: &Username,
    ) -> Result<Changed, DirectoryError> {
        let values = [
            (":id", text(user.id)),
            (":version", number(user.version - 1)),
        ];
        let write = put(&self.users, item(user)?, UNCHANGED, values)?;
        self.administer(admin, write, &user.username).await
    }

    /// Deletes another user but for the name, on behalf of an administrator. It is no less deleted when that was done
    /// before.
    pub async fn delete_user(
        &self,
        user: &User,
        admin: &Username,
        now: Timestamp,
    ) -> Result<Changed, DirectoryError> {
        let condition = "attribute_not_exists(username) OR id = :id OR deleted_id = :id";
        let values = [(":id", text(user.id))];
        let write = put(&self.users, remains(user, now), condition, values)?;
        self.administer(admin, write, &user.username).await
    }

    async fn administer(
        &self,
        admin: &Username,
        write: TransactWriteItem,
        other: &Username,
    ) -> Result<Changed, DirectoryError> {
        let is_admin = "contains(#roles, :admin)";
        let mut check = check(
            &self.users,
            admin.as_str(),
            is_admin,
            [(":admin", text("admin"))],
        )?;
        // A reserved word (DynamoDB, "Reserved words in DynamoDB").
        if let Some(check) = &mut check.condition_check {
            check.expression_attribute_names =
                Some([("#roles".to_owned(), "roles".to_owned())].into());
        }
        let (items, token) = ([check, write], Uuid::now_v7());
        for tries in 1..=TRIES {
            match self.write_all(&items, token).await? {
                Outcome::Done => return Ok(Changed::Yes),
                Outcome::Refused(conditions) if conditions.first() == Some(&true) => {
                    return Ok(Changed::NotAdmin);
                }
                Outcome::Refused(_) => return Ok(Changed::Outdated),
                Outcome::Met => self.pause(tries).await,
            }
        }
        Err(DirectoryError::Conflict(other.clone()))
    }
}
