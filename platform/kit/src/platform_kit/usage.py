"""How much of its limits the instance uses: the worker and the gunicorn master above it, together."""

from __future__ import annotations

import os
import threading
import time

import psutil

MEBIBYTE = 1024 * 1024
# Shorter than any scrape interval: two scrapers at once must not divide by next to nothing.
SAMPLE_SECONDS = 0.5


class Usage:
    """Shares of the memory and CPU limits; 1.0 is the limit."""

    def __init__(self, *, memory_limit_mb: float, cpu_limit: float) -> None:
        self._memory_limit = memory_limit_mb * MEBIBYTE
        self._cpu_limit = cpu_limit
        self._lock = threading.Lock()
        self._processes = [psutil.Process()]
        self._sampled_at = time.monotonic()
        self._cpu_seconds = self._cpu()
        self._cpu_share = 0.0

    def add_process(self, pid: int) -> None:
        """Count another process (the gunicorn master) as a part of this instance."""
        with self._lock:
            self._processes.append(psutil.Process(pid))
            self._cpu_seconds = self._cpu()

    def memory_share(self) -> float:
        """Return proportional memory (PSS where the system knows it) as a share of the limit."""
        return sum(_memory(process) for process in self._processes) / self._memory_limit

    def cpu_share(self) -> float:
        """Return CPU use since the sample before, as a share of the limit."""
        with self._lock:
            elapsed = time.monotonic() - self._sampled_at
            if elapsed >= SAMPLE_SECONDS:
                cpu_seconds = self._cpu()
                self._cpu_share = (cpu_seconds - self._cpu_seconds) / elapsed / self._cpu_limit
                self._sampled_at, self._cpu_seconds = time.monotonic(), cpu_seconds
            return self._cpu_share

    def _cpu(self) -> float:
        return sum(_cpu_seconds(process) for process in self._processes)


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except psutil.Error:  # gone, or another user's
        return 0
    return int(getattr(full, "pss", full.rss))


def _cpu_seconds(process: psutil.Process) -> float:
    if process.pid == os.getpid():
        return time.process_time()  # finer than the system's ticks
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
