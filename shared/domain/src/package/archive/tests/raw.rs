//! Archives by hand: what no packer makes.

/// An entry of the directory. Its data is left out: nobody looks at it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    pub(super) attributes: u32,
    pub(super) extra: Vec<u8>,
    pub(super) comment: Vec<u8>,
    pub(super) disk: u16,
    /// Where it begins, if not right behind the one before.
    pub(super) begin: Option<u64>,
}

impl Entry {
    /// A file of a kilobyte.
    pub(super) fn file(name: impl AsRef<[u8]>) -> Self {
        Self::sized(name, 1024, 1024)
    }

    pub(super) fn sized(name: impl AsRef<[u8]>, packed: u64, unpacked: u64) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            flags: 0,
            method: if packed == unpacked { 0 } else { 8 },
            packed,
            unpacked,
            attributes: 0o100_644 << 16,
            extra: Vec::new(),
            comment: Vec::new(),
            disk: 0,
            begin: None,
        }
    }

    /// In the directory. What is too large for its place goes into an extra field.
    fn write(&self, begin: u64, out: &mut Vec<u8>) {
        let mut zip64 = Vec::new();
        let mut short = |number: u64| {
            u32::try_from(number)
                .ok()
                .filter(|it| *it != u32::MAX)
                .unwrap_or_else(|| {
                    zip64.extend(number.to_le_bytes());
                    u32::MAX
                })
        };
        let (unpacked, packed) = (short(self.unpacked), short(self.packed));
        let begin = short(begin);
        let mut extra = self.extra.clone();
        if !zip64.is_empty() {
            extra.extend([1_u16.to_le_bytes(), word(zip64.len())].concat());
            extra.extend(zip64);
        }
        out.extend(b"PK\x01\x02");
        for number in [0x031e, 45, self.flags, self.method, 0, 0x21] {
            out.extend(u16::to_le_bytes(number));
        }
        for number in [0, packed, unpacked] {
            out.extend(u32::to_le_bytes(number));
        }
        let lens = [self.name.len(), extra.len(), self.comment.len()].map(word);
        out.extend(lens.concat());
        out.extend([self.disk, 0].map(u16::to_le_bytes).concat());
        for number in [self.attributes, begin] {
            out.extend(number.to_le_bytes());
        }
        out.extend([&self.name, &extra, &self.comment].into_iter().flatten());
    }
}

/// An archive: where its directory begins, and all bytes from there on.
pub(super) struct Raw {
    pub(super) offset: u64,
    pub(super) last: Vec<u8>,
    pub(super) directory_len: u64,
    pub(super) entries: u64,
}

impl Raw {
    /// With these entries, one behind the other, and no end yet.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let (mut offset, mut last) = (0, Vec::new());
        for entry in entries {
            let begin = entry.begin.unwrap_or(offset);
            entry.write(begin, &mut last);
            let header = 30 + entry.name.len() as u64;
            let end = begin.saturating_add(header).saturating_add(entry.packed);
            offset = offset.max(end);
        }
        let (directory_len, entries) = (last.len() as u64, entries.len() as u64);
        Self {
            offset,
            last,
            directory_len,
            entries,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.offset + self.last.len() as u64
    }

    /// An end with these numbers.
    pub(super) fn end_with(mut self, entries: u64, len: u64, offset: u64, comment: &[u8]) -> Self {
        let entries = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
        self.last.extend(b"PK\x05\x06\0\0\0\0");
        self.last.extend([entries, entries].concat());
        for number in [len, offset] {
            self.last
                .extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.last.extend(word(comment.len()));
        self.last.extend(comment);
        self
    }

    /// The usual end.
    pub(super) fn end(self) -> Self {
        self.end_commented(b"")
    }

    pub(super) fn end_commented(self, comment: &[u8]) -> Self {
        let (entries, len, offset) = (self.entries, self.directory_len, self.offset);
        self.end_with(entries, len, offset, comment)
    }

    /// The zip64 record and what says where it is.
    pub(super) fn zip64(self) -> Self {
        let (entries, len, offset) = (self.entries, self.directory_len, self.offset);
        self.zip64_with(entries, len, offset, b"")
    }

    pub(super) fn zip64_with(mut self, entries: u64, len: u64, offset: u64, more: &[u8]) -> Self {
        let at = self.size();
        self.last.extend(b"PK\x06\x06");
        self.last.extend((44 + more.len() as u64).to_le_bytes());
        self.last
            .extend([45_u16, 45].map(u16::to_le_bytes).concat());
        self.last.extend([0; 8]);
        for number in [entries, entries, len, offset] {
            self.last.extend(number.to_le_bytes());
        }
        self.last.extend(more);
        self.last.extend(b"PK\x06\x07\0\0\0\0");
        self.last.extend(at.to_le_bytes());
        self.last.extend(1_u32.to_le_bytes());
        self
    }
}

fn word(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap().to_le_bytes()
}
