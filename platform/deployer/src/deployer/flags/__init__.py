"""Feature flags as the deployer sees them: definitions whose shares are raised and lowered."""

from deployer.flags.definitions import Flags as Flags
from deployer.flags.definitions import parse_flags as parse_flags
