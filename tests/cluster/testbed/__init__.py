"""A cluster for the tests: one that is there, kind, or one node made of Debian packages and Go modules.

`up` takes the first of these that is possible, in this order:

1. the context that `DEPLOYER_TEST_CONTEXT` names: somebody else's cluster, nothing is installed;
2. kind, where `kind` and a Docker engine that answers are there;
3. the one-node cluster, as root on Debian: every part runs on this machine under a folder of its
   own, and `down` leaves nothing behind: no process, mount, bridge, nftables table or cgroup.

Tools and base images are made once and kept in a cache folder outside the checkout.
"""

from .cluster import Cluster as Cluster
from .cluster import down as down
from .cluster import leftovers as leftovers
from .cluster import prepare as prepare
from .cluster import status as status
from .cluster import up as up
from .failures import MachineUnfitError as MachineUnfitError
