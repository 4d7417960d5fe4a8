"""The ledgers of one machine keep every promise of the protocol; the cluster's is tested in tests/cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ledger.promises import PROMISES, name_of

from deployer.ledger import Ledger
from deployer.ledger.file import FileLedger
from deployer.ledger.memory import MemoryLedger


@pytest.mark.parametrize("promise", PROMISES, ids=name_of)
def test_the_ledger_on_disk(promise: Callable[[Ledger], None], tmp_path: Path):
    """A SQLite file keeps it."""
    promise(FileLedger(tmp_path / "ledger.sqlite"))


# In memory nothing can be half written.
IN_MEMORY = tuple(
    each
    for each in PROMISES
    if each.__name__ != "an_event_that_cannot_be_written_leaves_nothing_behind"
)


@pytest.mark.parametrize("promise", IN_MEMORY, ids=name_of)
def test_the_ledger_in_memory(promise: Callable[[Ledger], None]):
    """The one of a simulation keeps it too."""
    promise(MemoryLedger())
