//! Answers in each protocol: EC2's and Auto Scaling's XML, Systems Manager's JSON, CloudWatch's CBOR, and plain JSON.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::answer::ApiError;
use super::{autoscaling, cloudwatch, ec2, ids};

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn ec2_error(error: &ApiError) -> Answer {
    let request_id = ids::uuid();
    xml_answer(
        status(error),
        ec2::error_response(error, &request_id),
        &request_id,
    )
}

pub(super) fn autoscaling_error(error: &ApiError) -> Answer {
    let request_id = ids::uuid();
    xml_answer(
        status(error),
        autoscaling::error_response(error, &request_id),
        &request_id,
    )
}

pub(super) fn ssm_error(error: &ApiError) -> Answer {
    amz_json_answer(
        status(error),
        &json!({ "__type": error.code, "message": error.message }),
    )
}

pub(super) fn cloudwatch_error(error: &ApiError) -> Answer {
    let mut body = cloudwatch::Writer::default();
    body.map(|body| {
        for (key, value) in [("__type", &*error.code), ("message", &error.message)] {
            body.text(key);
            body.text(value);
        }
    });
    let mut answer = cbor_answer(status(error), body.finish());
    let blame = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    // What the service's callers of before CBOR know the error by.
    if let Ok(code) = HeaderValue::from_str(&format!("{};{blame}", error.code)) {
        answer.headers_mut().insert("x-amzn-query-error", code);
    }
    answer
}

pub(super) fn cbor_answer(status: StatusCode, body: Vec<u8>) -> Answer {
    let mut answer = with_type(status, body.into(), "application/cbor", &ids::uuid());
    let protocol = HeaderValue::from_static("rpc-v2-cbor");
    answer.headers_mut().insert("smithy-protocol", protocol);
    answer
}

fn status(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST)
}

pub(super) fn xml_answer(status: StatusCode, text: String, request_id: &str) -> Answer {
    with_type(status, text.into(), "text/xml;charset=UTF-8", request_id)
}

pub(super) fn amz_json_answer(status: StatusCode, body: &Value) -> Answer {
    with_type(
        status,
        body.to_string().into(),
        "application/x-amz-json-1.1",
        &ids::uuid(),
    )
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Answer {
    with_type(
        status,
        body.to_string().into(),
        "application/json",
        &ids::uuid(),
    )
}

fn with_type(
    status: StatusCode,
    body: Bytes,
    content_type: &'static str,
    request_id: &str,
) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        answer.headers_mut().insert("x-amzn-requestid", request_id);
    }
    answer
}
