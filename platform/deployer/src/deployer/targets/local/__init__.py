"""The target `local`: processes of this machine behind Traefik, with embedded PostgreSQL."""

from deployer.targets.local.builds import Builds as Builds
from deployer.targets.local.builds import scratch_tree as scratch_tree
from deployer.targets.local.target import LocalTarget as LocalTarget
from deployer.targets.protocol import Safeguards as Safeguards
