//! The envelopes of Auto Scaling's answers and errors.

use super::VERSION;
use crate::sim::answer::ApiError;
use crate::sim::ec2::Xml;

/// The answer of `action` around its result; actions without one answer only the request's id.
pub(in crate::sim) fn response(action: &str, request_id: &str, result: &Xml) -> String {
    let mut xml = Xml::default();
    if !result.as_str().is_empty() {
        xml.element(&format!("{action}Result"), |xml| {
            xml.verbatim(result.as_str());
        });
    }
    xml.element("ResponseMetadata", |xml| {
        xml.value("RequestId", request_id);
    });
    enclose(&format!("{action}Response"), &xml)
}

/// The error envelope of the Query protocol.
pub(in crate::sim) fn error_response(error: &ApiError, request_id: &str) -> String {
    let blame = if error.status < 500 {
        "Sender"
    } else {
        "Receiver"
    };
    let mut xml = Xml::default();
    xml.element("Error", |xml| {
        xml.value("Type", blame);
        xml.value("Code", &error.code);
        xml.value("Message", &error.message);
    });
    xml.value("RequestId", request_id);
    enclose("ErrorResponse", &xml)
}

fn enclose(name: &str, content: &Xml) -> String {
    format!(
        "<{name} xmlns=\"http://autoscaling.amazonaws.com/doc/{VERSION}/\">{}</{name}>",
        content.as_str()
    )
}
