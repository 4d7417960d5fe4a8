"""Three ways for a candidate's pods to go, at a moment that a test picks.

Each is what a fault of the release's own would do, and needs nothing built into a release for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from campaign.passages import wait_for
from e2e.shop import PRODUCT
from testbed import Cluster
from testbed.failures import PartFailedError

from deployer.commands.context import Context

NAMESPACE = ("-n", f"{PRODUCT}-dev")
HEARD_SECONDS = 2.0  # the router hears of a pod that is ready a moment later than the API server
AGAIN_SECONDS = 0.5  # a container that has come back is not to live much longer than that

# gunicorn's first process ends at once, and its container with it: what SIGQUIT asks it for.
QUIT = ("sh", "-c", "kill -QUIT 1")  # the shell's own: a slim image has no other
# The kernel kills the largest when a container's memory is used up. What uses it up here is in parts smaller than any
# of gunicorn's processes, so that these are the ones to go, as when one of them had grown by itself.
EXHAUST = (
    "python",
    "-ISc",
    """
import os, time
for pid in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{pid}/oom_score_adj", "w") as hint:
        hint.write("1000" if int(pid) != os.getpid() else "0")
for _ in range(16):
    if not os.fork():
        held = b"x" * (20 << 20)
        time.sleep(10)  # holds it: the kernel ends this before, with the container
        os._exit(0)
for _ in range(16):
    os.wait()
""",
)


def delete(cluster: Cluster, slot: str) -> None:
    """Delete the slot's pods, without grace; not those that are not there yet: they would be made faster than they go."""
    running = ("-l", f"deployer/slot={slot}", "--field-selector=status.phase=Running")
    cluster.kubectl("delete", "pods", *NAMESPACE, *running, "--grace-period=0", "--force")


def crash(cluster: Cluster, slot: str) -> None:
    """End the containers of the slot's pods."""
    _in_each_pod(cluster, slot, *QUIT)


def exhaust_memory(cluster: Cluster, slot: str) -> None:
    """Use up the memory of the containers of the slot's pods, so that they are killed for it."""
    _in_each_pod(cluster, slot, *EXHAUST)


HARMS: Mapping[str, Callable[[Cluster, str], None]] = {
    "deleted": delete,
    "crash-looping": crash,
    "out-of-memory": exhaust_memory,
}


@contextmanager
def repeated(harm: Callable[[Cluster, str], None], cluster: Cluster, slot: str) -> Iterator[None]:
    """Do a harm once, and then again and again for as long as this goes on."""

    def go_on() -> None:
        while not over.wait(AGAIN_SECONDS):
            harm(cluster, slot)

    over = threading.Event()
    harm(cluster, slot)
    goes_on = threading.Thread(target=go_on)
    goes_on.start()
    try:
        yield
    finally:
        over.set()
        goes_on.join()


def fresh(context: Context, cluster: Cluster) -> None:
    """Have new pods in the live slot: those that were ended again and again are started after a longer wait each time."""
    delete(cluster, str(context.target.situation(PRODUCT).live))
    wait_for(lambda: context.target.situation(PRODUCT).serving.ready, seconds=60)
    time.sleep(HEARD_SECONDS)  # nothing says that the router has heard


def restarts(cluster: Cluster, slot: str) -> list[str]:
    """Return why the containers of the slot's pods ended last: `Completed` where they were told to."""
    last = "{.items[*].status.containerStatuses[*].lastState.terminated.reason}"
    label = f"deployer/slot={slot}"
    return cluster.kubectl("get", "pods", *NAMESPACE, "-l", label, "-o", f"jsonpath={last}").split()


def _in_each_pod(cluster: Cluster, slot: str, *command: str) -> None:
    pods = cluster.kubectl("get", "pods", *NAMESPACE, "-l", f"deployer/slot={slot}", "-o", "name")
    for pod in pods.split():
        # Its container may be gone already, or not back yet; and it ends while it is at it.
        with suppress(PartFailedError):
            cluster.kubectl("exec", *NAMESPACE, pod, "--", *command, seconds=20)
