//! What this process holds, counted where it is allocated: the attacked server's memory and little else.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's; counting changes nothing about it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD_BYTES.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK_BYTES.fetch_max(held, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What was held at the start, and at most since.
pub(crate) struct Gauge {
    start_bytes: usize,
}

impl Gauge {
    pub(crate) fn start() -> Self {
        let start_bytes = HELD_BYTES.load(Relaxed);
        PEAK_BYTES.store(start_bytes, Relaxed);
        Self { start_bytes }
    }

    /// By how much it ever grew.
    pub(crate) fn growth_bytes(&self) -> usize {
        PEAK_BYTES.load(Relaxed).saturating_sub(self.start_bytes)
    }
}
