"""The ledger of a cluster: ConfigMaps and a Lease in each service's own namespace.

    Lease      product                    who moves the traffic, and with which fence
    ConfigMap  rollouts                   every rollout's header: the list, and how each ended
    ConfigMap  rollout-000017             one rollout's events: the newest
    ConfigMap  rollout-000017-2.41        its events before those, once they are many; never changed
    ConfigMap  rollout-000017-requests    what others ask its holder for

What it guarantees, and by what: a write is conditional on the version that the writer last saw, and
whoever takes the lease first writes its fence into the list and into the rollout that is on its
way. So whatever an older holder still sends meets another version, is read again, and is refused.
One append is one request. Nothing here trusts that two machines' clocks agree.
"""

from deployer.ledger.cluster.ledger import ClusterLedger as ClusterLedger
from deployer.ledger.cluster.notices import Notice as Notice
from deployer.ledger.cluster.notices import NoticeBoard as NoticeBoard
from deployer.ledger.cluster.notices import route as route
