//! Bits that flip in memory, where no program writes.

use std::{
    cell::RefCell,
    fs::{File, OpenOptions},
    io::{Seek as _, SeekFrom, Write as _},
};

thread_local! {
    static MEMORY: RefCell<File> = RefCell::new(
        OpenOptions::new().write(true).open("/proc/self/mem").expect("the memory of this process"),
    );
}

/// Flips the lowest bit of a byte, the way that a defect outside of the program would: by way of the kernel.
pub(super) fn flip(byte: &u8) {
    MEMORY.with_borrow_mut(|memory| {
        memory.seek(SeekFrom::Start(std::ptr::from_ref(byte) as u64)).expect("an address");
        memory.write_all(&[std::hint::black_box(*byte) ^ 1]).expect("it can be written to");
    });
}
