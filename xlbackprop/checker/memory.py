"""The memory that a process of ours may take, where the system can hold it to that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import resource

_STATE = Path("/proc/self/statm")


def limit(megabytes: int) -> None:
    """Hold this process, as loaded as it is now, to so much memory; asking for more raises MemoryError."""
    if sys.platform != "win32":
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, ((megabytes << 20) + _never_touched(), resource.RLIM_INFINITY))


@contextmanager
def lifted(megabytes: int) -> Iterator[None]:
    """Let what is started meanwhile take so much memory, whatever this process is held to."""
    if sys.platform == "win32":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, before[1]))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, before)


def peak() -> int:
    """The most megabytes that this process has ever taken; 0 where that cannot be told."""
    if sys.platform == "win32":
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most >> 20 if sys.platform == "darwin" else most >> 10


def _never_touched() -> int:
    """Bytes of the address space that libraries have reserved and do not use."""
    try:
        pages, used = map(int, _STATE.read_text().split()[:2])
    except (OSError, ValueError):
        return 256 << 20
    return (pages - used) * resource.getpagesize()
