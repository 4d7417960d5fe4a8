"""The append-only record of every event of every rollout in an environment."""

from deployer.ledger.protocol import Entry as Entry
from deployer.ledger.protocol import Header as Header
from deployer.ledger.protocol import Lease as Lease
from deployer.ledger.protocol import LeaseHeldError as LeaseHeldError
from deployer.ledger.protocol import Ledger as Ledger
from deployer.ledger.protocol import Request as Request
from deployer.ledger.protocol import StaleFenceError as StaleFenceError
from deployer.ledger.protocol import Verb as Verb
