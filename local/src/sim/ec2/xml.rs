//! EC2's answers: XML, written in one place so that everything is escaped.

use std::fmt::Display;

use jiff::Timestamp;
use quick_xml::escape::escape;

use crate::sim::answer::ApiError;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// XML under construction. Element names are ours; only values come from outside.
#[derive(Debug, Default)]
pub(in crate::sim) struct Xml {
    text: String,
}

impl Xml {
    /// `<name>value</name>`.
    pub(in crate::sim) fn value(&mut self, name: &str, value: impl Display) {
        self.open(name);
        self.text(value);
        self.close(name);
    }

    /// Text inside an element, escaped.
    pub(in crate::sim) fn text(&mut self, value: impl Display) {
        // XML 1.0 has no way at all to write most control characters.
        let sane: String = value
            .to_string()
            .chars()
            .map(|c| if is_xml(c) { c } else { '\u{fffd}' })
            .collect();
        self.text.push_str(&escape(&sane));
    }

    /// What is XML already, or needs no escaping.
    pub(in crate::sim) fn verbatim(&mut self, xml: &str) {
        self.text.push_str(xml);
    }

    /// All of it so far.
    pub(in crate::sim) fn as_str(&self) -> &str {
        &self.text
    }

    /// As [`Xml::value`], when there is a value.
    pub(in crate::sim) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// An instant as EC2 writes it, to the millisecond.
    pub(in crate::sim) fn time(&mut self, name: &str, at: Timestamp) {
        self.value(name, at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
    }

    /// `<name>…</name>` around what `content` writes.
    pub(in crate::sim) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.open(name);
        content(self);
        self.close(name);
    }

    /// `<name><item>…</item>…</name>`.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.element(name, |xml| {
            for item in items {
                xml.element("item", |xml| write(xml, item));
            }
        });
    }

    fn open(&mut self, name: &str) {
        self.text.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.text.extend(["</", name, ">"]);
    }
}

/// The answer of `action` around its content.
pub(in crate::sim) fn response(action: &str, request_id: &str, content: &Xml) -> String {
    let mut xml = Xml::default();
    xml.value("requestId", request_id);
    let (head, body) = (xml.text, &content.text);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"{NAMESPACE}\">{head}{body}</{action}Response>"
    )
}

/// The error envelope.
pub(in crate::sim) fn error_response(error: &ApiError, request_id: &str) -> String {
    let mut xml = Xml::default();
    xml.element("Response", |xml| {
        xml.element("Errors", |xml| {
            xml.element("Error", |xml| {
                xml.value("Code", &error.code);
                xml.value("Message", &error.message);
            });
        });
        xml.value("RequestID", request_id);
    });
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", xml.text)
}

fn is_xml(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_cannot_break_the_document() {
        let mut xml = Xml::default();
        xml.value("value", "<a href=\"x\">&'\u{1}é");
        assert_eq!(
            xml.text,
            "<value>&lt;a href=&quot;x&quot;&gt;&amp;&apos;\u{fffd}é</value>"
        );
    }

    #[test]
    fn errors_have_ec2s_envelope() {
        let text = error_response(&ApiError::client("InvalidAction", "no"), "r-1");
        assert!(
            text.contains(
                "<Response><Errors><Error><Code>InvalidAction</Code><Message>no</Message>"
            )
        );
        assert!(text.ends_with("<RequestID>r-1</RequestID></Response>"));
    }
}
