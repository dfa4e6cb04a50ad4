//! An allocator that counts, for tests that promise figures.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts per thread, so that tests beside it do not count.
pub(crate) struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

fn add(size: usize) {
    // A thread that is ending has no counters any more.
    let _ = COUNT.try_with(|count| count.set(count.get().wrapping_add(1)));
    let _ = LIVE.try_with(|live| {
        live.set(live.get().wrapping_add(size));
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

fn sub(size: usize) {
    let _ = LIVE.try_with(|live| live.set(live.get().wrapping_sub(size)));
}

// SAFETY: every call is handed on to the system's allocator as it is. What grows is allocated anew, so that both places
// count while it is copied.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        sub(layout.size());
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of `run`, and the most bytes it held at once beyond what was there before.
pub(crate) fn counted<T>(run: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = (COUNT.get(), LIVE.get());
    PEAK.set(before.1);
    let result = run();
    // Memory of before may have been given back meanwhile.
    (
        result,
        COUNT.get().wrapping_sub(before.0),
        PEAK.get().saturating_sub(before.1),
    )
}
