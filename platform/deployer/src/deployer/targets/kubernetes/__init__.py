"""The target `kubernetes`: slots as Helm releases behind an HTTPRoute, on any conformant cluster."""

from deployer.targets.kubernetes.images import Images as Images
from deployer.targets.kubernetes.target import KubernetesTarget as KubernetesTarget
