"""What stops a test cluster from coming up.

TestbedError
├── MachineUnfitError  this machine cannot do it: the tests skip with the reason (CI allows no such skip)
└── PartFailedError    a part did what it should not: its log's end is in the message
"""

from __future__ import annotations


class TestbedError(Exception):
    """The cluster is not there."""

    __test__ = False  # pytest takes classes by their name


class MachineUnfitError(TestbedError):
    """This machine has not what a test cluster needs."""


class PartFailedError(TestbedError):
    """A part of the cluster did not come up, or a command failed."""
