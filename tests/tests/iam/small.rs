//! The comparison itself, on a small template and little code: it finds what is missing and what is too much, and sees
//! calls in all the ways in which our code makes them.

use super::{
    compare::{Exception, compare},
    graph::Reading,
    policy::Template,
    source::{Code, Files},
};

const FOLDER: &str = "functions/door";

const TEMPLATE: &str = "
Resources:
  MachinesTable:
    Type: AWS::DynamoDB::Table
    Properties:
      GlobalSecondaryIndexes: [{ IndexName: by_owner }, { IndexName: listing }]
  ControlTable: { Type: AWS::DynamoDB::Table, Properties: {} }
  Keys: { Type: AWS::SecretsManager::Secret, Properties: {} }
  Key: { Type: AWS::KMS::Key, Properties: {} }
  Letters: { Type: AWS::SQS::Queue, Properties: {} }
  DoorFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/door/
      Environment: { Variables: { KEYS: !GetAtt Keys.Id } }
      Policies:
";

/// `shared/aws` in small: a read, a transaction by a helper, a query on an index that depends, a secret.
const AWS: &str = r#"
pub mod store {
    mod transaction {
        use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
        pub(super) fn put(table: &str) -> Result<TransactWriteItem, StoreError> {
            let put = Put::builder().table_name(table).build()?;
            Ok(TransactWriteItem::builder().put(put).build())
        }
    }
    use aws_sdk_dynamodb::Client;
    use self::transaction::put;
    pub struct Store { client: Client, machines: String, control: String }
    impl Store {
        pub fn new(config: &SdkConfig) -> Self { todo() }
        pub async fn get(&self, id: &str) -> Result<Option<Machine>, StoreError> {
            let answer = self.client.get_item().table_name(&self.machines).send().await;
            Ok(answer?.item)
        }
        pub async fn lock(&self) -> Result<(), StoreError> {
            self.write(&[put(&self.control)?]).await
        }
        async fn write(&self, items: &[TransactWriteItem]) -> Result<(), StoreError> {
            self.client.transact_write_items().set_transact_items(items).send().await
        }
        pub async fn list(&self, own: bool) -> Result<Vec<Machine>, StoreError> {
            let index = if own { "by_owner" } else { "listing" };
            self.client.query().table_name(&self.machines).index_name(index).send().await
        }
        pub async fn list_own(&self) -> Result<Vec<Machine>, StoreError> {
            self.client.query().table_name(&self.machines).index_name("by_owner").send().await
        }
    }
}
pub mod secrets {
    use aws_sdk_secretsmanager::Client;
    pub struct Secrets { client: Client }
    impl Secrets {
        pub fn new(config: &SdkConfig) -> Self { todo() }
        pub async fn get(&self, id: &str) -> Result<Secret, AwsError> {
            self.client.get_secret_value().secret_id(id).send().await
        }
    }
}
"#;

const READS: &str =
    "{ Sid: Reads, Effect: Allow, Action: dynamodb:GetItem, Resource: !GetAtt MachinesTable.Arn }";
const LOCKS: &str =
    "{ Sid: Locks, Effect: Allow, Action: dynamodb:PutItem, Resource: !GetAtt ControlTable.Arn }";

fn template(statements: &[&str]) -> Template {
    let statements = statements.join(", ");
    let text = format!("{TEMPLATE}        - Statement: [{statements}]\n");
    Template::read(&text).unwrap()
}

/// What does not fit between statements and a function whose state has a store.
fn differences(statements: &[&str], door: &str) -> Vec<String> {
    differences_but(statements, door, &[])
}

fn differences_but(statements: &[&str], door: &str, exceptions: &[Exception]) -> Vec<String> {
    let template = template(statements);
    let mut code = Code::default();
    let door = format!(
        "use std::sync::Arc; use haulout_aws::{{secrets::Secrets, store::Store}};
        pub struct Door {{ store: Store, secrets: Secrets }}
        fn open(sdk: &SdkConfig) -> Door {{ Door {{ store: Store::new(sdk), secrets: todo() }} }}
        {door}"
    );
    for (krate, text) in [("haulout_aws", AWS), ("haulout_door", &door)] {
        let files = Files::from([("lib.rs".to_owned(), text.to_owned())]);
        code.add(krate, &files).unwrap();
    }
    let reading = Reading::of(code.complete()).unwrap();
    let needs = reading.graph("haulout_door").needs();
    compare(&template, FOLDER, &needs, exceptions)
}

/// Some one of the differences says all of this.
#[track_caller]
fn assert_told(differences: &[String], words: &[&str]) {
    let told = |it: &&String| words.iter().all(|word| it.contains(word));
    assert!(differences.iter().any(|it| told(&it)), "{differences:#?}");
}

const READING: &str = "impl Door { async fn look(&self) { self.store.get(\"m\").await; } }";
const READING_AND_LOCKING: &str =
    "impl Door { async fn look(&self) { self.store.get(\"m\").await; self.store.lock().await; } }";

#[test]
fn what_is_needed_and_granted_fits() {
    assert!(differences(&[READS, LOCKS], READING_AND_LOCKING).is_empty());
}

#[test]
fn what_is_missing_is_told_with_the_calls_that_lead_to_it() {
    let told = differences(&[READS], READING_AND_LOCKING);
    assert_eq!(told.len(), 1, "{told:#?}");
    let chain = "Door::look > store::Store::lock > store::transaction::put";
    assert_told(
        &told,
        &[
            FOLDER,
            "lacks dynamodb:PutItem on table ControlTable",
            chain,
        ],
    );
}

#[test]
fn what_is_too_much_is_told_with_its_statement() {
    let told = differences(&[READS, LOCKS], READING);
    assert_eq!(told.len(), 1, "{told:#?}");
    let extra = "has dynamodb:PutItem on table ControlTable (statement Locks)";
    assert_told(&told, &[FOLDER, extra]);
}

#[test]
fn the_right_action_on_the_wrong_table_is_both() {
    let wrong = READS.replace("Machines", "Control");
    let told = differences(&[&wrong], READING);
    assert_told(&told, &["lacks dynamodb:GetItem on table MachinesTable"]);
    assert_told(&told, &["has dynamodb:GetItem on table ControlTable"]);
}

#[test]
fn calls_are_seen_in_all_our_ways_to_make_them() {
    for door in [
        "async fn look(State(door): State<Arc<Door>>) { door.store.get(\"m\").await; }",
        "async fn look(door: &Door) { let store = &door.store; let found = store.get(\"m\"); found.await; }",
        "async fn look(door: Option<&Door>) { let Some(door) = door else { return }; if let Ok(it) = door.store.get(\"m\").await {} }",
        "async fn look(door: &Door) { let Door { store, .. } = door; store.get(\"m\").await; }",
        "async fn look(door: &Door) { Box::pin(async move { door.store.get(\"m\").await }).await; }",
        "async fn look(doors: &[Door]) { for door in doors { let ask = async |id| door.store.get(id).await; ask(\"m\").await; } }",
        "struct Pass<'a> { door: &'a Door } impl Pass<'_> { async fn go(&self) { self.door.store.get(\"m\").await; } }",
        "async fn look(door: &Door) { tokio::join!(door.store.get(\"m\"), other()); }",
        "trait Look { async fn look(&self); } impl Look for Door { async fn look(&self) { self.store.get(\"m\").await; } }
         async fn any(look: &impl Look) { look.look().await; }",
        "async fn look(it: &Door) { let unknown = make(it).part(); unknown.get(\"m\").await; } fn wait(id: &str) {}",
    ] {
        let told = differences(&[], door);
        assert_told(&told, &["lacks dynamodb:GetItem on table MachinesTable"]);
    }
}

/// One read for two kinds of rows, each in a table of its own.
const ROWS: &str = r"
use aws_sdk_dynamodb::Client;
use somebody::{Lock, Machine};
trait Row { fn table(tables: &Tables) -> &str; }
impl Row for Machine { fn table(tables: &Tables) -> &str { &tables.machines } }
impl Row for Lock { fn table(tables: &Tables) -> &str { &tables.control } }
pub struct Rows { client: Client, tables: Tables }
impl Rows {
    async fn row<R: Row>(&self) -> Option<R> {
        self.client.get_item().table_name(R::table(&self.tables)).send().await
    }
    async fn again<R: Row>(&self) -> Option<R> { self.row().await }
    async fn machine(&self) -> Result<Option<Machine>, Error> { self.again().await }
}
fn open(sdk: &SdkConfig) -> Rows { todo() }
";

#[test]
fn of_a_generic_call_the_table_is_that_of_the_type_that_is_meant() {
    let needs_of = |code: &str| {
        let mut read = Code::default();
        let files = Files::from([("lib.rs".to_owned(), code.to_owned())]);
        read.add("haulout_door", &files).unwrap();
        let reading = Reading::of(read.complete()).unwrap();
        let needs = reading.graph("haulout_door").needs();
        compare(&template(&[]), FOLDER, &needs, &[])
    };
    let told = needs_of(ROWS);
    let lacks = "lacks dynamodb:GetItem on table MachinesTable";
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_told(&told, &[lacks, "Rows::machine > haulout_door::Rows::again"]);
    let told = needs_of(&ROWS.replace("Option<Machine>, Error", "Vec<u8>, Error"));
    assert_told(&told, &["lacks dynamodb:GetItem on table ControlTable"]);
}

#[test]
fn what_only_has_the_name_of_a_call_is_none() {
    let door = "fn look(known: &HashMap<String, u32>) { known.get(\"m\"); }
        struct Own; impl Own { async fn get(&self, id: &str) {} }
        async fn other(own: &Own) { own.get(\"m\").await; }";
    assert!(differences(&[], door).is_empty());
}

#[test]
fn a_client_that_nobody_makes_is_not_called() {
    let door = "async fn look(secrets: &Secrets) { secrets.get(\"s\").await; }";
    assert!(differences(&[], door).is_empty());
    let made = format!("{door} fn make(sdk: &SdkConfig) -> Secrets {{ Secrets::new(sdk) }}");
    let told = differences(&[], &made);
    assert_told(
        &told,
        &["lacks secretsmanager:GetSecretValue on secret Keys"],
    );
    assert_told(&told, &["lacks kms:Decrypt on key by secretsmanager"]);
}

#[test]
fn an_index_is_one_of_those_that_are_named() {
    let query = |index: &str| {
        format!(
            "{{ Sid: Lists, Effect: Allow, Action: dynamodb:Query, Resource: !Sub \"${{MachinesTable.Arn}}/index/{index}\" }}"
        )
    };
    let own = "impl Door { async fn look(&self) { self.store.list_own().await; } }";
    for index in ["by_owner", "*"] {
        assert!(differences(&[&query(index)], own).is_empty());
    }
    let told = differences(&[&query("listing")], own);
    assert_told(
        &told,
        &["lacks dynamodb:Query on index MachinesTable/by_owner"],
    );
    assert_told(
        &told,
        &["has dynamodb:Query on index MachinesTable/listing"],
    );
    let any = "impl Door { async fn look(&self) { self.store.list(true).await; } }";
    assert!(differences(&[&query("listing")], any).is_empty());
    assert_told(
        &differences(&[], any),
        &["by_owner or index MachinesTable/listing"],
    );
}

#[test]
fn a_key_is_used_through_the_service_that_its_condition_names() {
    let door = "async fn look(sdk: &SdkConfig) { let secrets = Secrets::new(sdk); secrets.get(\"s\").await; }";
    let reads = "{ Sid: S, Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: !GetAtt Keys.Id }";
    let decrypts = |service: &str| {
        format!(
            "{{ Sid: K, Effect: Allow, Action: kms:Decrypt, Resource: !GetAtt Key.Arn, Condition: {{ StringEquals: {{ \"kms:ViaService\": !Sub \"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}\" }} }} }}"
        )
    };
    assert!(differences(&[reads, &decrypts("secretsmanager")], door).is_empty());
    assert_told(
        &differences(&[reads, &decrypts("s3")], door),
        &["lacks kms:Decrypt on key by secretsmanager"],
    );
}

#[test]
fn an_exception_excuses_what_it_names_and_must_be_needed() {
    let exception = Exception {
        function: FOLDER,
        action: "dynamodb:PutItem",
        place: "table ControlTable",
        why: "it never locks",
    };
    let told = differences_but(&[READS], READING_AND_LOCKING, &[exception]);
    assert!(told.is_empty(), "{told:#?}");
    let stale = Exception {
        function: FOLDER,
        action: "dynamodb:PutItem",
        place: "table ControlTable",
        why: "it never locks",
    };
    assert_told(
        &differences_but(&[READS], READING, &[stale]),
        &["is not needed"],
    );
}

#[test]
fn what_nobody_has_looked_up_is_told() {
    let unknown = AWS.replace("get_secret_value", "rotate_secret");
    let mut code = Code::default();
    let files = Files::from([("lib.rs".to_owned(), unknown)]);
    code.add("haulout_aws", &files).unwrap();
    let reading = Reading::of(code.complete()).unwrap();
    let needs = reading.graph("haulout_aws").needs();
    let told = compare(&template(&[READS]), FOLDER, &needs, &[]);
    assert_told(
        &told,
        &["secretsmanager:RotateSecret is not in iam/table.rs"],
    );
}

#[test]
fn a_further_binary_is_what_its_main_comes_to_and_the_first_one_all_the_rest() {
    let lib = "pub struct Door { store: Store }
        impl Door {
            async fn handler(&self) { self.both().await; }
            async fn both(&self) { self.store.get(\"m\").await; }
            pub async fn alone(&self) { self.store.lock().await; self.both().await; }
        }
        fn make(sdk: &SdkConfig) -> Store { Store::new(sdk) }";
    let bin = "async fn main() { let door = Door { store: Store::new(sdk) }; run(async |event| { Box::pin(handle(&door)).await }).await }
        async fn handle(door: &haulout_door::Door) { door.alone().await; }";
    let mut code = Code::default();
    let aws = Files::from([("lib.rs".to_owned(), AWS.to_owned())]);
    code.add("haulout_aws", &aws).unwrap();
    let files = Files::from([
        (
            "lib.rs".to_owned(),
            format!("use haulout_aws::store::Store; {lib}"),
        ),
        (
            "bin/watch.rs".to_owned(),
            format!("use haulout_aws::store::Store; use haulout_door::Door; {bin}"),
        ),
    ]);
    code.add("haulout_door", &files).unwrap();
    let reading = Reading::of(code.complete()).unwrap();
    let operations = |entry: &str| {
        let needs = reading.graph(entry).needs();
        let names = needs.keys().map(|need| need.operation.clone());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let get = "dynamodb:GetItem";
    assert_eq!(operations("haulout_door"), [get.to_owned()].into());
    let all = operations("haulout_door_main_watch");
    assert!(
        all.contains(get) && all.contains("dynamodb:TransactWriteItems"),
        "{all:?}"
    );
    assert!(all.contains("dynamodb:TransactWriteItems/Put"), "{all:?}");
}
