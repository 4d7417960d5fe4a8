"""A process that wants a lease: `holding.py NAME hold [HOLDER [CLOCK]]`, or `NAME race ROUNDS`.

`hold` keeps it until it is killed, with a clock that is wrong by so many seconds. `race` wants it at
each `go`, says whether it won, and gives it back at `over`.
"""

from __future__ import annotations

import sys
import time

from api_server import Access

from deployer.ledger import LeaseHeldError
from deployer.ledger.cluster import ClusterLedger
from deployer.ledger.holder import this_holder
from deployer.model import ServiceName

PRODUCT = ServiceName("product")
HEARTBEAT_SECONDS = 2.0


def hold(ledger: ClusterLedger, holder: str, clock_error: float) -> None:
    """Hold the lease and renew it as the driver does."""
    lease = ledger.acquire(PRODUCT, holder, now=time.time() + clock_error)
    say(f"won {lease.fence}")
    while True:
        time.sleep(HEARTBEAT_SECONDS)
        ledger.renew(lease, now=time.time() + clock_error)


def race(ledger: ClusterLedger, rounds: int) -> None:
    """Want the lease so many times."""
    for _ in range(rounds):
        sys.stdin.readline()
        lease = None
        try:
            lease = ledger.acquire(PRODUCT, this_holder(), now=time.time())
            say(f"won {lease.fence}")
        except LeaseHeldError as refused:
            say(f"held {refused.lease.holder}")
        sys.stdin.readline()
        if lease is not None:
            ledger.release(lease)
        say("over")


def say(text: str) -> None:
    """Tell the parent."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(name: str, verb: str, *arguments: str) -> None:
    """Do what was asked for."""
    ledger = ClusterLedger(Access.of_environment().connect(), lambda service: f"{service}-{name}")
    if verb == "race":
        race(ledger, int(arguments[0]))
    else:
        holder, clock_error = (*arguments, *("", "0")[len(arguments) :])
        hold(ledger, holder or this_holder(), float(clock_error))


if __name__ == "__main__":
    main(*sys.argv[1:])
