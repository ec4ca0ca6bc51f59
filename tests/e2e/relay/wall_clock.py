"""A wall clock that a test can set for one process while it runs: its monotonic clock goes on as it is.

A few lines of C stand between the process and the system's clock_gettime; the offset is read from a shared file.
"""

import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static long long offset_s(void) {
    static volatile long long *shared;
    if (!shared) {
        int file = open(getenv("WALL_CLOCK_OFFSET"), O_RDONLY | O_CLOEXEC);
        void *mapped = mmap(0, sizeof *shared, PROT_READ, MAP_SHARED, file, 0);
        if (mapped == MAP_FAILED) abort();
        shared = mapped;
    }
    return *shared;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*system_clock)(clockid_t, struct timespec *);
    if (!system_clock) *(void **)&system_clock = dlsym(RTLD_NEXT, "clock_gettime");
    int result = system_clock(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset_s();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *place) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (place) *place = precise.tv_sec;
    return precise.tv_sec;
}
"""


@dataclass(frozen=True, slots=True)
class WallClock:
    """`environment` is what a process must be started with to live by this clock."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables for the process."""
        return {"LD_PRELOAD": str(self.folder / "clock.so"), "WALL_CLOCK_OFFSET": str(self.folder / "offset")}

    def step(self, offset_s: int) -> None:
        """Let the process's wall clock differ by so much from the system's, from now on."""
        with (self.folder / "offset").open("r+b") as file:
            file.write(struct.pack("q", offset_s))


def build_wall_clock(folder: Path) -> WallClock:
    """Compile the lines of C, with the compiler that keisan is built with; raises CalledProcessError."""
    source, offset = folder / "clock.c", folder / "offset"
    source.write_text(SOURCE)
    offset.write_bytes(struct.pack("q", 0))
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(folder / "clock.so"), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return WallClock(folder)
