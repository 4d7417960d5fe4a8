"""The connection to a Kubernetes API server: objects as JSON, by path. Knows no service and no slot.

The only place that imports the package `kubernetes`, and late: it costs more than a second.
"""

from deployer.cluster.answers import ObjectChanged as ObjectChanged
from deployer.cluster.answers import ObjectExists as ObjectExists
from deployer.cluster.connection import Cluster as Cluster
from deployer.cluster.connection import in_pod as in_pod
from deployer.cluster.objects import Object as Object
from deployer.cluster.objects import annotation as annotation
from deployer.cluster.objects import metadata as metadata
