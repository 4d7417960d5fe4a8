"""Rollouts that are simulated: the real engine against modelled services on a virtual clock."""

from deployer.simulation.run import End as End
from deployer.simulation.run import Outcome as Outcome
from deployer.simulation.run import Played as Played
from deployer.simulation.run import Scenario as Scenario
from deployer.simulation.run import play as play
from deployer.simulation.run import simulate as simulate
from deployer.simulation.service import Behaviour as Behaviour
from deployer.simulation.service import Fault as Fault
from deployer.simulation.service import Incident as Incident
from deployer.simulation.service import Latency as Latency
from deployer.simulation.service import Mishap as Mishap
from deployer.simulation.service import Outage as Outage
from deployer.simulation.service import ServiceModel as ServiceModel
from deployer.simulation.service import Side as Side
