"""Stands for a worker that was forked, not started: passes its three streams on, and ends as the worker ends.

A worker takes a second to start, most of it for imports; a test that kills two hundred of them forks them from a process
that has everything imported (``serve_forking.py``). Run with ``python -S -E``: it must be quick itself.
"""

import os
import signal
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_UNIX) as forker:
        try:
            forker.connect(sys.argv[1])
            socket.send_fds(forker, [b"fork"], [0, 1, 2])
            worker = int(forker.recv(20))
        except (ConnectionError, ValueError):  # the whole tree was killed while this one started
            sys.exit(1)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(worker, signal.SIGTERM))
        os.close(0)
        os.close(1)
        while forker.recv(1):
            pass


main()
