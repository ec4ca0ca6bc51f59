//! The relay's allocator: mimalloc, asked for an alignment only where one matters.
//!
//! A call takes and gives back memory some thirty times. Asked with an alignment, mimalloc takes more than is wanted for
//! every size that is no power of two, and goes a longer way; what it gives is aligned to 16 bytes anyway.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};

/// Source: `MI_MAX_ALIGN_SIZE` of mimalloc, which holds for whatever is as large as its alignment.
const ALIGNMENT_GIVEN: usize = 16;

#[derive(Debug)]
pub struct Allocator;

const fn is_aligned_anyway(layout: Layout, size: usize) -> bool {
    layout.align() <= ALIGNMENT_GIVEN && layout.align() <= size
}

#[allow(unsafe_code, reason = "an allocator hands out raw memory")]
// SAFETY: mimalloc keeps the contract of malloc, and gives memory as aligned as is asked for or, unasked, as is written above.
// No function of it unwinds.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        // SAFETY: any size and any power of two may be asked for.
        unsafe {
            if is_aligned_anyway(layout, size) { mi_malloc(size) } else { mi_malloc_aligned(size, layout.align()) }
                .cast()
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let size = layout.size();
        // SAFETY: as above.
        unsafe {
            if is_aligned_anyway(layout, size) { mi_zalloc(size) } else { mi_zalloc_aligned(size, layout.align()) }
                .cast()
        }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, _: Layout) {
        // SAFETY: the caller got the pointer from one of these functions.
        unsafe { mi_free(pointer.cast::<c_void>()) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let pointer = pointer.cast::<c_void>();
        // SAFETY: the caller got the pointer from one of these functions, which are free to move what it holds.
        unsafe {
            if is_aligned_anyway(layout, size) {
                mi_realloc(pointer, size)
            } else {
                mi_realloc_aligned(pointer, size, layout.align())
            }
            .cast()
        }
    }
}
