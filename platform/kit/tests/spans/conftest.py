"""A collector to export to, and a recorder whose spans stay in memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from platform_kit import spans
from platform_kit.otlp import Recorder

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one

from collector import Collector

WHO = {"service": "product", "version": "1.1.0", "slot": "green"}


@pytest.fixture
def collector() -> Iterator[Callable[..., Collector]]:
    """Open a collector; it is closed after the test."""
    opened: list[Collector] = []

    def collect(**faults: Any) -> Collector:
        opened.append(Collector(**faults))
        return opened[-1]

    yield collect
    for each in opened:
        each.close()


@pytest.fixture
def recorded() -> Iterator[InMemorySpanExporter]:
    """Record the spans of the test's own process."""
    exporter = InMemorySpanExporter()
    recorder = Recorder(WHO, SimpleSpanProcessor(exporter))
    spans.record_by(recorder)
    yield exporter
    spans.record_by(None)
    recorder.close()
