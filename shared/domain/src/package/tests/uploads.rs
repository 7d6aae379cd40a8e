//! An upload's life.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    super::{
        part::{MAX_PARTS, PartsError},
        upload::{CommitStep, NewUploadError, OPEN_FOR, Upload, UploadRefusal, UploadStatus},
    },
    NOW, groups, new_upload, part, upload,
};

fn later(time: SignedDuration) -> Timestamp {
    NOW + time
}

#[test]
fn an_upload_is_open_for_a_day() {
    let mut upload = upload("model");
    assert_eq!(
        upload.key.to_string(),
        format!("packages/model/1.0.0/{}.zip", upload.id)
    );
    assert_eq!(upload.part_size, 8 << 20);
    assert!(
        upload
            .may_take_parts(later(OPEN_FOR - SignedDuration::from_secs(1)))
            .is_ok()
    );
    let end = later(OPEN_FOR);
    assert_eq!(upload.may_take_parts(end), Err(UploadRefusal::Expired(end)));
    assert_eq!(
        upload.commit(vec![part(1)], end),
        Err(UploadRefusal::Expired(end))
    );
    assert!(!upload.expire(end - SignedDuration::from_secs(1)));
    assert!(upload.expire(end));
    assert!(!upload.expire(end));
    assert_eq!(upload.status, UploadStatus::Aborted);
}

#[test]
fn the_most_parts_fit_an_item_and_read_back() {
    for first in [1, 3] {
        let mut upload = upload("model");
        let parts: Vec<_> = (first..=MAX_PARTS)
            .step_by(first as usize)
            .map(part)
            .collect();
        assert!(upload.commit(parts, NOW).is_ok());
        let written = serde_json::to_string(&upload).unwrap();
        // DynamoDB: an item has at most 400 KB.
        assert!(written.len() < 390_000, "{} bytes", written.len());
        assert_eq!(serde_json::from_str::<Upload>(&written).unwrap(), upload);
    }
}

#[test]
fn a_commit_may_be_repeated_however_late() {
    let mut upload = upload("model");
    let parts = || vec![part(1), part(2)];
    assert_eq!(upload.commit(vec![], NOW), Err(PartsError::None.into()));
    assert_eq!(
        upload.commit(vec![part(2), part(1)], NOW),
        Err(PartsError::Order(1).into())
    );
    assert_eq!(upload.status, UploadStatus::Open);
    assert_eq!(upload.commit(parts(), NOW), Ok(CommitStep::Complete));
    let committing = upload.clone();
    let much_later = later(OPEN_FOR * 3);
    assert_eq!(upload.commit(parts(), much_later), Ok(CommitStep::Complete));
    assert_eq!(
        upload.commit(vec![part(1)], NOW),
        Err(UploadRefusal::OtherParts)
    );
    assert_eq!(upload.abort(), Err(UploadRefusal::Committing));
    assert_eq!(upload.may_take_parts(NOW), Err(UploadRefusal::Committing));
    assert!(!upload.expire(much_later));
    assert_eq!(upload, committing);
    assert!(upload.committed());
    assert!(!upload.committed() && !upload.failed("late") && !upload.parts_refused());
    assert_eq!(upload.commit(parts(), much_later), Ok(CommitStep::Done));
    assert_eq!(upload.abort(), Err(UploadRefusal::Committed));
    assert_eq!(upload.status, UploadStatus::Committed);
}

#[test]
fn parts_that_s3_refuses_may_be_named_again() {
    let mut upload = upload("model");
    assert!(!upload.parts_refused());
    upload.commit(vec![part(1)], NOW).unwrap();
    assert!(upload.parts_refused());
    assert_eq!(
        (upload.may_take_parts(NOW), upload.parts.len()),
        (Ok(()), 0)
    );
    assert_eq!(upload.commit(vec![part(2)], NOW), Ok(CommitStep::Complete));
}

#[test]
fn what_failed_or_was_aborted_stays_so() {
    let mut failed = upload("model");
    assert!(failed.failed("too small") && !failed.failed("again"));
    assert_eq!(failed.abort(), Ok(false));
    let refusal = failed.commit(vec![part(1)], NOW).unwrap_err();
    assert_eq!(refusal, UploadRefusal::Failed("too small".into()));
    assert!(
        refusal.to_string().contains("too small") && refusal.to_string().contains("POST /init")
    );
    let mut aborted = upload("model");
    assert_eq!((aborted.abort(), aborted.abort()), (Ok(true), Ok(false)));
    assert!(!aborted.failed("late") && !aborted.committed());
    assert_eq!(
        aborted.commit(vec![part(1)], NOW),
        Err(UploadRefusal::Aborted)
    );
}

#[test]
fn what_cannot_be_uploaded_is_refused_at_once() {
    let open = |change: fn(&mut super::NewUpload)| {
        let mut new = new_upload("model");
        change(&mut new);
        Upload::open(new, "s3".to_owned(), NOW)
    };
    assert!(matches!(
        open(|it| it.size_bytes = Some(0)),
        Err(NewUploadError::Size(_))
    ));
    let long = open(|it| it.description = Some("é".repeat(1001)));
    assert_eq!(long, Err(NewUploadError::Description(1001)));
    assert!(open(|it| it.description = Some("é".repeat(1000))).is_ok());
    let many = open(|it| {
        it.allowed_groups = (0..101)
            .map(|at| format!("g{at}").parse().unwrap())
            .collect();
    });
    assert_eq!(many, Err(NewUploadError::Groups(101)));
    let rule = open(|it| it.rule = Some("a".repeat(4097)));
    assert_eq!(rule, Err(NewUploadError::Rule(4097)));
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let mut upload = upload("model");
    upload.allowed_groups = groups(&["research"]);
    upload.commit(vec![part(1)], NOW).unwrap();
    upload.failed("no zip");
    let written = serde_json::to_value(&upload).unwrap();
    let status = serde_json::json!({"state": "failed", "reason": "no zip"});
    assert_eq!(written["status"], status);
    assert_eq!(serde_json::from_value::<Upload>(written).unwrap(), upload);
}

/// Whatever happens to an upload.
#[derive(Debug, Clone, Copy)]
enum Event {
    Commit(u32),
    PartsRefused,
    Committed,
    Failed,
    Abort,
    Expire,
}

impl Event {
    fn happen(self, upload: &mut Upload) {
        match self {
            Self::Commit(number) => drop(upload.commit(vec![part(number)], NOW)),
            Self::PartsRefused => drop(upload.parts_refused()),
            Self::Committed => drop(upload.committed()),
            Self::Failed => drop(upload.failed("why")),
            Self::Abort => drop(upload.abort()),
            Self::Expire => drop(upload.expire(later(OPEN_FOR))),
        }
    }
}

proptest! {
    #[test]
    fn an_end_is_an_end_and_repeats_change_nothing(
        events in proptest::collection::vec(
            prop_oneof![
                (1..3_u32).prop_map(Event::Commit),
                Just(Event::PartsRefused),
                Just(Event::Committed),
                Just(Event::Failed),
                Just(Event::Abort),
                Just(Event::Expire),
            ],
            0..12,
        ),
    ) {
        let mut upload = upload("model");
        for event in events {
            let before = upload.clone();
            event.happen(&mut upload);
            let after = upload.clone();
            event.happen(&mut upload);
            prop_assert_eq!(&upload, &after, "{:?} twice", event);
            if before.status.is_final() {
                prop_assert_eq!(&before, &after, "{:?} after the end", event);
            }
            if after.status == UploadStatus::Committed && before.status != after.status {
                prop_assert_eq!(before.status, UploadStatus::Committing);
            }
            prop_assert!(after.status != UploadStatus::Open || after.parts.is_empty());
        }
    }
}
