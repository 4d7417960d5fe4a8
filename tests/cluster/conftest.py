"""What the tests on a real API server and a real cluster share."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parent
# The builders beside the tests, and those of the deployer's own: the same claims are made of both.
sys.path[:0] = [str(TESTS), str(TESTS.parents[1] / "platform" / "deployer" / "tests")]
