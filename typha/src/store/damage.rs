//! For tests: bits that flip in memory, where no program writes.

use std::{
    fs::OpenOptions,
    io::{Seek as _, SeekFrom, Write as _},
};

/// Flips the lowest bit of a byte, the way that a defect outside of the program would: by way of the kernel, since no
/// one in the program may write there.
pub(crate) fn flip(byte: &u8) {
    let address = std::ptr::from_ref(byte) as u64;
    let mut memory = OpenOptions::new().write(true).open("/proc/self/mem").expect("the memory of this process");
    memory.seek(SeekFrom::Start(address)).expect("an address");
    memory.write_all(&[std::hint::black_box(*byte) ^ 1]).expect("it can be written to");
}
