//! CRC-64/NVME: the checksum that S3 keeps of whole objects (NVM Express NVM Command Set Specification, section 5.2.1.3.4).

use base64::{Engine, prelude::BASE64_STANDARD};

/// The polynomial, its bits reversed.
const POLYNOMIAL: u64 = 0x9a6c_9329_ac4b_c9b5;

const TABLE: [u64; 256] = table();

const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut entry = index as u64;
        let mut bit = 0;
        while bit < 8 {
            entry = if entry & 1 == 1 {
                (entry >> 1) ^ POLYNOMIAL
            } else {
                entry >> 1
            };
            bit += 1;
        }
        table[index] = entry;
        index += 1;
    }
    table
}

/// The checksum in base64, as S3 writes it.
pub fn crc64nvme(bytes: &[u8]) -> String {
    let step = |crc: u64, byte: &u8| TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8);
    let crc = !bytes.iter().fold(!0, step);
    BASE64_STANDARD.encode(crc.to_be_bytes())
}
