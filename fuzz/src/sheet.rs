//! A sheet of the hash cache: believed whole or not at all, also where its checksum is right.

use minibit::content::merkle;
use minibit::net::fuzz::sheet_again;

/// A sheet; and what would stand before its checksum.
pub fn run(bytes: &[u8]) {
    check(bytes);
    let checksum = merkle::leaf(bytes);
    check(&[bytes, &checksum.0].concat());
    let whole = [b"minibit hashes 1", bytes].concat();
    check(&[&whole[..], &merkle::leaf(&whole).0].concat());
}

fn check(sheet: &[u8]) {
    if let Some(again) = sheet_again(sheet) {
        assert_eq!(again, sheet, "it is written as it was read");
    }
}
