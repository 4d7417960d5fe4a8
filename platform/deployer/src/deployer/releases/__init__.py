"""Versions and the record of what was released: pure."""

from deployer.releases.record import Recorded as Recorded
from deployer.releases.record import parse_record as parse_record
from deployer.releases.version import Version as Version
