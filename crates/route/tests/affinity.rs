//! Many calls write one replica's memory at once: nothing is locked, and nothing is read that was never sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use keisan_route::block::{BLOCK_BYTES, fold};
use keisan_route::{Affinity, Blocks};

const PROMPTS: u64 = 64;
const BLOCKS: usize = 16;
const ROUNDS: usize = 50;

fn build_prompt(number: u64) -> Blocks {
    Blocks::of(fold(1, &number.to_le_bytes()), &[b'a'; BLOCKS * BLOCK_BYTES])
}

#[test]
fn calls_at_once_corrupt_nothing() {
    let affinity = Affinity::new(4_096);
    let prompts: Vec<Blocks> = (0..PROMPTS).map(build_prompt).collect();
    let never_sent = build_prompt(PROMPTS);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                assert_eq!(affinity.count_warm(never_sent.as_slice()), 0);
            }
        });
        let write = || (0..ROUNDS).for_each(|_| prompts.iter().for_each(|prompt| affinity.note(prompt.as_slice())));
        let writers = [scope.spawn(write), scope.spawn(write), scope.spawn(write)];
        for writer in writers {
            writer.join().unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    for prompt in &prompts {
        affinity.note(prompt.as_slice());
        assert_eq!(affinity.count_warm(prompt.as_slice()), BLOCKS);
    }
}
