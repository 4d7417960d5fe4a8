"""Where releases run: processes of this machine, or a cluster."""

from deployer.targets.exposure import Exposure as Exposure
from deployer.targets.protocol import Builds as Builds
from deployer.targets.protocol import FailedRequest as FailedRequest
from deployer.targets.protocol import InstanceStatus as InstanceStatus
from deployer.targets.protocol import Interrupted as Interrupted
from deployer.targets.protocol import InterruptedWait as InterruptedWait
from deployer.targets.protocol import Place as Place
from deployer.targets.protocol import Situation as Situation
from deployer.targets.protocol import SlotStatus as SlotStatus
from deployer.targets.protocol import Target as Target
