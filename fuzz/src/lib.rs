//! What the targets share: files to put a fuzzer's bytes into.
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

/// What a file's header announces must not be believed: one allocation above this ends the process, which libFuzzer's
/// limits on memory in use would not notice where pages stay untouched.
const LARGEST_ALLOCATION: usize = 512 << 20;

struct Limited;

// SAFETY: the system's allocator, except that it refuses what is too large, as it may.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST_ALLOCATION {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST_ALLOCATION {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > LARGEST_ALLOCATION {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// One of the committed seeds.
pub fn seed(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    fs::read(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; write it with `cargo run --example seeds`", path.display()))
}

/// A picture of 4 x 4 pixels.
pub fn picture() -> Vec<u8> {
    seed("image/rgba.png")
}

/// This process's folder, in memory where the system has such a place.
pub fn place() -> &'static Path {
    static PLACE: OnceLock<TempDir> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let make = || if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    PLACE.get_or_init(|| make().expect("a temporary folder")).path()
}

/// Writes a file there; its folders are made.
pub fn put(name: &str, bytes: &[u8]) -> PathBuf {
    let path = place().join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, bytes).expect("a file");
    path
}

/// Writes a file there if its name can be that of one: plain parts, no way out, no folder or file in its way.
pub fn put_if_possible(name: &str, bytes: &[u8]) {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || name.len() > 200 || !plain {
        return;
    }
    let path = place().join(path);
    // What cannot be written is not there.
    if path.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok()) {
        let _ = fs::write(path, bytes);
    }
}

/// Empties the folder.
pub fn clear() {
    for entry in fs::read_dir(place()).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            .expect("it can be removed");
    }
}

/// Runs once: files that stay the same.
pub fn once(prepare: impl FnOnce()) {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(prepare);
}

/// A picture that would decode to more than this is left alone: its header is read, which is what must not allocate.
pub const MOST_PIXELS: u64 = 1 << 22;
