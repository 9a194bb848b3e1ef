"""Put on PYTHONPATH, it profiles every thread of a worker and leaves the figures in $BENCH_PROFILES."""

import atexit
import cProfile
import os
import sys
import threading
import time
from pathlib import Path

_run = threading.Thread.run


def _dump(profile: cProfile.Profile, name: str) -> None:
    profile.disable()
    profile.dump_stats(Path(os.environ["BENCH_PROFILES"]) / f"{os.getpid()}-{name.replace('/', '_')}.prof")


def _profiled_run(thread: threading.Thread) -> None:
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    try:
        _run(thread)
    finally:
        _dump(profile, thread.name)


if "waybill.serve.worker" in sys.orig_argv and "BENCH_PROFILES" in os.environ:
    threading.Thread.run = _profiled_run  # type: ignore[method-assign,assignment]
    main = cProfile.Profile(time.thread_time)
    atexit.register(_dump, main, "main")
    main.enable()
