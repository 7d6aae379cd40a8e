//! Zip archives, entry by entry and as wrong as wanted (APPNOTE.TXT, 4.3): nothing is checked or compressed.

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    name: Vec<u8>,
    data: Vec<u8>,
    /// Unix mode with the file's type; 0 says nothing, as archives from Windows do.
    mode: u32,
    flags: u16,
    method: u16,
    /// The unpacked size the entry claims, where that is not the truth.
    claims: Option<u32>,
    damaged: bool,
}

impl Entry {
    pub(crate) fn file(name: &str, data: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            data: data.as_ref().to_vec(),
            mode: 0o100_644,
            // The name is UTF-8.
            flags: 0x800,
            method: 0,
            claims: None,
            damaged: false,
        }
    }

    pub(crate) fn folder(name: &str) -> Self {
        Self::file(name, "").mode(0o040_755)
    }

    pub(crate) fn link(name: &str, target: &str) -> Self {
        Self::file(name, target).mode(0o120_777)
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn encrypted(mut self) -> Self {
        self.flags |= 1;
        self
    }

    pub(crate) fn method(mut self, method: u16) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn claiming(mut self, size: u32) -> Self {
        self.claims = Some(size);
        self
    }

    pub(crate) fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }

    /// The fields that local and central headers share, from "version needed" to "extra field length".
    fn fields(&self) -> Vec<u8> {
        let crc = if self.damaged { 1 } else { crc32(&self.data) };
        let size = u32::try_from(self.data.len()).unwrap();
        let mut out = Vec::new();
        for half in [20, self.flags, self.method, 0, 0x21] {
            out.extend(half.to_le_bytes());
        }
        for word in [crc, size, self.claims.unwrap_or(size)] {
            out.extend(word.to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        out.extend([0, 0]);
        out
    }
}

/// The archive of these entries.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut central = Vec::new();
    for entry in entries {
        let offset = u32::try_from(out.len()).unwrap();
        out.extend(b"PK\x03\x04");
        out.extend(entry.fields());
        out.extend(&entry.name);
        out.extend(&entry.data);
        // Made by Unix.
        central.extend(b"PK\x01\x02\x14\x03");
        central.extend(entry.fields());
        // No comment, the first disk, no internal attributes.
        central.extend([0; 6]);
        central.extend((entry.mode << 16).to_le_bytes());
        central.extend(offset.to_le_bytes());
        central.extend(&entry.name);
    }
    let start = u32::try_from(out.len()).unwrap();
    // The count has no room for more; who reads the entries one by one finds them all.
    let count = u16::try_from(entries.len() % 65_536).unwrap();
    out.extend(&central);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(u32::try_from(central.len()).unwrap().to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// An archive whose script is this, beside other entries.
pub(crate) fn model(script: &str, others: &[Entry]) -> Vec<u8> {
    let mut entries = vec![
        Entry::folder("model/"),
        Entry::file("model/script.sh", script).mode(0o100_755),
    ];
    entries.extend_from_slice(others);
    zip(&entries)
}

/// Bytes that do not repeat, so that a piece in the wrong place is noticed.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(len)
    .collect()
}

/// CRC-32 (ISO 3309, as zip uses it).
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
