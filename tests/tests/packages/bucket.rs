//! What the bucket of the tests promises: it refuses what S3 refuses. What is built on it is only as good as this.

use haulout_tests::s3::crc64nvme;
use serde_json::json;

use super::support::{MIB, Shelf, version, word};

#[test]
fn the_checksum_is_crc_64_nvme() {
    // The check value of the CRC catalogue: 0xae8b14860a799888 of the digits.
    assert_eq!(crc64nvme(b"123456789"), "rosUhgp5mIg=");
    assert_eq!(crc64nvme(b""), "AAAAAAAAAAA=");
}

#[tokio::test]
async fn a_link_is_for_one_part_of_one_upload_and_for_a_while() {
    let shelf = Shelf::start().await;
    let id = shelf.begin("ann", &version("1.0.0")).await;
    let link = shelf
        .post("ann", &format!("/part/{id}?part_number=1"), &json!({}))
        .await
        .json();
    let url = word(&link, "url");
    let other = |url: String| json!({"url": url, "headers": link["headers"]});
    for wrong in [
        url.replace("partNumber=1", "partNumber=2"),
        url.replace("model", "other"),
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        url.split("&X-Amz-Signature").next().unwrap().to_owned(),
    ] {
        assert_ne!(wrong, url);
        let reply = shelf.carry_out("PUT", &other(wrong.clone()), b"bytes");
        assert_eq!(reply.status, 403, "{wrong}: {}", reply.text());
    }
    assert_eq!(shelf.carry_out("GET", &link, b"").status, 403);
    // Whatever S3 would act on must be signed.
    let more = json!({"url": url, "headers": {"x-amz-acl": "public-read"}});
    assert_eq!(shelf.carry_out("PUT", &more, b"bytes").status, 403);
    assert_eq!(shelf.carry_out("PUT", &link, b"bytes").status, 200);
    shelf.world.jump(std::time::Duration::from_mins(61));
    let late = shelf.carry_out("PUT", &link, b"bytes");
    assert_eq!(late.status, 403, "{}", late.text());
}

#[tokio::test]
async fn a_part_with_a_checksum_is_taken_with_these_bytes_alone() {
    let shelf = Shelf::start().await;
    let id = shelf.begin("ann", &version("1.0.0")).await;
    let crc = crc64nvme(b"bytes");
    let path = format!(
        "/part/{id}?part_number=1&crc64nvme={}",
        crc.replace('+', "%2B")
    );
    let answer = shelf.post("ann", &path, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let link = answer.json();
    assert_eq!(link["headers"]["x-amz-checksum-crc64nvme"], crc.as_str());
    let other = shelf.carry_out("PUT", &link, b"other");
    assert!(other.text().contains("BadDigest"), "{}", other.text());
    assert_eq!(shelf.carry_out("PUT", &link, b"bytes").status, 200);
    // Without the header it is not the request that was signed.
    let bare = json!({"url": link["url"]});
    assert_eq!(shelf.carry_out("PUT", &bare, b"bytes").status, 403);
    for wrong in ["1", "AAAAAAAAAAAA", "AAAAAAA%20AAA="] {
        let path = format!("/part/{id}?part_number=1&crc64nvme={wrong}");
        let answer = shelf.post("ann", &path, &json!({})).await;
        assert_eq!(answer.problem(400), "invalid_query");
    }
}

#[tokio::test]
async fn s3_itself_refuses_what_the_function_asks_about_before() {
    let shelf = Shelf::start().await;
    let objects = haulout_aws::objects::Objects::new(
        shelf.world.sdk_config(),
        haulout_tests::s3::BUCKET,
        None,
    );
    let id = shelf.begin("ann", &version("1.0.0")).await;
    let upload = shelf.upload(&id).await;
    let (key, s3_id) = (upload.key.to_string(), upload.s3_upload_id);
    let mut parts = Vec::new();
    for (number, size) in [(1, MIB), (2, 5 * MIB), (3, 10)] {
        let reply = shelf.send_part("ann", &id, number, &vec![7; size]).await;
        let part = json!({"PartNumber": number, "ETag": reply.etag()});
        parts.push(serde_json::from_value::<haulout_domain::package::Part>(part).unwrap());
    }
    let [one, two, three] = [&parts[0], &parts[1], &parts[2]].map(Clone::clone);
    let mut unknown = two.clone();
    unknown.etag = "0123".parse().unwrap();
    let cases = [
        (vec![one.clone(), two.clone()], None, "EntityTooSmall"),
        (vec![three.clone(), two.clone()], None, "InvalidPartOrder"),
        (vec![unknown], None, "InvalidPart"),
        (vec![two.clone(), three.clone()], Some(1), "InvalidRequest"),
    ];
    for (parts, size, expected) in cases {
        let completed = objects.complete(&key, &s3_id, &parts, size).await.unwrap();
        let haulout_aws::objects::Completed::Refused { code, .. } = completed else {
            panic!("{expected}: {completed:?}");
        };
        assert_eq!(code, expected);
    }
    let parts = [two, three];
    let size = Some(5 * MIB as u64 + 10);
    let completed = objects.complete(&key, &s3_id, &parts, size).await.unwrap();
    assert_eq!(completed, haulout_aws::objects::Completed::Done);
    let again = objects.complete(&key, &s3_id, &parts, size).await.unwrap();
    assert_eq!(again, haulout_aws::objects::Completed::Gone);
    let object = objects.head(&key).await.unwrap().unwrap();
    let mut whole = vec![7; 5 * MIB];
    whole.extend([7; 10]);
    assert_eq!(object.crc64nvme, Some(crc64nvme(&whole)));
    assert!(object.etag.as_str().ends_with("-2"), "{}", object.etag);
    let read = objects.read(&key, &object, 5 * MIB as u64 + 4, 100).await;
    assert_eq!(read.unwrap().unwrap(), [7; 6]);
    shelf.s3().put(&key, b"another");
    assert_eq!(objects.read(&key, &object, 0, 4).await.unwrap(), None);
    objects.delete(&key).await.unwrap();
    assert_eq!(objects.read(&key, &object, 0, 4).await.unwrap(), None);
    assert_eq!(objects.head(&key).await.unwrap(), None);
    objects.abort(&key, &s3_id).await.unwrap();
    assert_eq!(objects.parts(&key, &s3_id).await.unwrap(), None);
}
