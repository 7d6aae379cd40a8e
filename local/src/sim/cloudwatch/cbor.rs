//! As much of CBOR (RFC 8949) as the Smithy RPC v2 protocol uses: requests become JSON values, answers are written.

use serde_json::{Map, Number, Value};
use thiserror::Error;

/// How deep a request may be nested; real ones are about six deep.
const MAX_DEPTH: u8 = 32;
/// The additional information that says "until a break".
const INDEFINITE: u8 = 31;
const BREAK: u8 = 0xff;

/// A body that is not the CBOR expected.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(in crate::sim) enum CborError {
    /// It ends too early.
    #[error("the body ends in the middle of a value")]
    Short,
    /// Something follows the value.
    #[error("the body goes on after its value")]
    Long,
    /// It is nested too deep.
    #[error("the body is nested too deep")]
    Deep,
    /// It holds something that no request has.
    #[error("the body holds a value of an unknown kind, starting with the byte {0:#04x}")]
    Kind(u8),
}

/// Reads a request. Tags are dropped: a timestamp becomes the number of its seconds.
pub(in crate::sim) fn read(bytes: &[u8]) -> Result<Value, CborError> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(MAX_DEPTH)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(CborError::Long)
    }
}

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn value(&mut self, depth: u8) -> Result<Value, CborError> {
        let depth = depth.checked_sub(1).ok_or(CborError::Deep)?;
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 31);
        match major {
            0 => Ok(self.argument(first)?.into()),
            1 => {
                let number = i64::try_from(self.argument(first)?);
                Ok((-1 - number.map_err(|_| CborError::Kind(first))?).into())
            }
            3 => self.text(first).map(Value::String),
            4 => {
                let mut list = Vec::new();
                self.items(first, |reader| {
                    list.push(reader.value(depth)?);
                    Ok(())
                })?;
                Ok(Value::Array(list))
            }
            5 => {
                let mut map = Map::new();
                self.items(first, |reader| {
                    let key = reader.byte()?;
                    let key = reader.text(key)?;
                    map.insert(key, reader.value(depth)?);
                    Ok(())
                })?;
                Ok(Value::Object(map))
            }
            6 => {
                self.argument(first)?;
                self.value(depth)
            }
            7 => self.simple(first, info),
            _ => Err(CborError::Kind(first)),
        }
    }

    fn simple(&mut self, first: u8, info: u8) -> Result<Value, CborError> {
        let number = match info {
            20 | 21 => return Ok(Value::Bool(info == 21)),
            22 | 23 => return Ok(Value::Null),
            25 => half(u16::from_be_bytes(self.array()?)),
            26 => f64::from(f32::from_be_bytes(self.array()?)),
            27 => f64::from_be_bytes(self.array()?),
            _ => return Err(CborError::Kind(first)),
        };
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    /// The elements of a list, or the pairs of a map.
    fn items(
        &mut self,
        first: u8,
        mut item: impl FnMut(&mut Self) -> Result<(), CborError>,
    ) -> Result<(), CborError> {
        if first & 31 == INDEFINITE {
            while self.rest.first() != Some(&BREAK) {
                item(self)?;
            }
            self.byte()?;
            return Ok(());
        }
        // Each takes a byte at least, so that a lie about their number ends soon.
        for _ in 0..self.argument(first)? {
            item(self)?;
        }
        Ok(())
    }

    fn text(&mut self, first: u8) -> Result<String, CborError> {
        if first >> 5 != 3 {
            return Err(CborError::Kind(first));
        }
        if first & 31 == INDEFINITE {
            let mut text = String::new();
            loop {
                match self.byte()? {
                    BREAK => return Ok(text),
                    part if part & 31 == INDEFINITE => return Err(CborError::Kind(part)),
                    part => text.push_str(&self.text(part)?),
                }
            }
        }
        let length = usize::try_from(self.argument(first)?).map_err(|_| CborError::Short)?;
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| CborError::Kind(first))
    }

    /// The number in a head: a value, a length, a tag.
    fn argument(&mut self, first: u8) -> Result<u64, CborError> {
        match first & 31 {
            small @ 0..=23 => Ok(small.into()),
            24 => Ok(self.byte()?.into()),
            25 => Ok(u16::from_be_bytes(self.array()?).into()),
            26 => Ok(u32::from_be_bytes(self.array()?).into()),
            27 => Ok(u64::from_be_bytes(self.array()?)),
            _ => Err(CborError::Kind(first)),
        }
    }

    fn byte(&mut self) -> Result<u8, CborError> {
        let (first, rest) = self.rest.split_first().ok_or(CborError::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CborError::Short)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], CborError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CborError::Short)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// A half-precision number.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let value = match (bits >> 10) & 0x1f {
        0 => fraction * 2_f64.powi(-24),
        0x1f => f64::INFINITY,
        exponent => (1.0 + fraction / 1_024.0) * 2_f64.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 1 { -value } else { value }
}

/// An answer under construction.
#[derive(Debug, Default)]
pub(in crate::sim) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A map of what `content` writes: keys and values in turn.
    pub(in crate::sim) fn map(&mut self, content: impl FnOnce(&mut Self)) {
        self.bytes.push(0xbf);
        content(self);
        self.bytes.push(BREAK);
    }

    /// A list of what `write` writes of each item.
    pub(in crate::sim) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.bytes.push(0x9f);
        for item in items {
            write(self, item);
        }
        self.bytes.push(BREAK);
    }

    /// A text, or a map's key.
    pub(in crate::sim) fn text(&mut self, text: &str) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.bytes.push(0x7a);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(text.as_bytes());
    }

    pub(in crate::sim) fn number(&mut self, number: f64) {
        self.bytes.push(0xfb);
        self.bytes.extend(number.to_be_bytes());
    }

    /// An instant, in seconds.
    pub(in crate::sim) fn time(&mut self, seconds: f64) {
        self.bytes.push(0xc1);
        self.number(seconds);
    }

    pub(in crate::sim) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_read() {
        let check = |bytes: &[u8], value: Value| assert_eq!(read(bytes), Ok(value), "{bytes:x?}");
        check(&[0x18, 0x64], json!(100));
        check(&[0x39, 0x03, 0xe7], json!(-1_000));
        check(&[0xf9, 0x3e, 0x00], json!(1.5));
        check(&[0xfa, 0x47, 0xc3, 0x50, 0x00], json!(100_000.0));
        check(&[0xf5], json!(true));
        check(&[0xf6], Value::Null);
        check(&[0x62, 0xc3, 0xbc, 0x41][..3], json!("ü"));
        check(&[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0], json!(1_363_896_240));
        check(&[0x7f, 0x61, b'a', 0x61, b'b', 0xff], json!("ab"));
        check(
            &[0xbf, 0x61, b'a', 0x9f, 0x01, 0x82, 0x02, 0x03, 0xff, 0xff],
            json!({"a": [1, [2, 3]]}),
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = Writer::default();
        writer.map(|writer| {
            writer.text("values");
            writer.list([0.5, 2.0], Writer::number);
            writer.text("at");
            writer.time(1.5);
        });
        let read = read(&writer.finish());
        assert_eq!(read, Ok(json!({"values": [0.5, 2.0], "at": 1.5})));
    }

    #[test]
    fn broken_bodies_are_refused() {
        for (bytes, error) in [
            (&[][..], CborError::Short),
            (&[0x62, b'a'], CborError::Short),
            (
                &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Short,
            ),
            (&[0x01, 0x01], CborError::Long),
            (&[0x9f; 100], CborError::Deep),
            (&[0x41, 0x00], CborError::Kind(0x41)),
            (&[0xa1, 0x01, 0x02], CborError::Kind(0x01)),
            (&[0xff], CborError::Kind(0xff)),
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:x?}");
        }
    }
}
