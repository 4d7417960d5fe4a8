"""Pieces of the harness that need no cluster: what they refuse, and what they leave alone."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the package `testbed`, by name

from testbed import tools
from testbed.addresses import LOOPBACK, Ports
from testbed.cluster import GIVEN, up
from testbed.failures import MachineUnfitError, PartFailedError
from testbed.folders import TOOLS, Folders
from testbed.parts import Parts, started, stop

pytestmark = pytest.mark.cluster


def test_a_taken_port_is_named_with_the_way_out() -> None:
    """Somebody else's program on 8080 is common: the message says what to do."""
    with socket.create_server((LOOPBACK, 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PartFailedError, match=f"port {port} .*DEPLOYER_TEST_PUBLIC_PORT"):
            Ports(public=port).require_free()


def test_ports_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every port has a variable of its name."""
    monkeypatch.setenv("DEPLOYER_TEST_PUBLIC_PORT", "18080")

    assert (Ports.from_environment().public, Ports.from_environment().internal) == (18080, 8081)


def test_a_part_is_stopped_and_forgotten(tmp_path: Path) -> None:
    """What was started ends, and a second stop finds nothing."""
    parts = Parts(tmp_path)
    part = parts.start("sleeper", "sleep", "600")
    assert part.alive

    parts.stop()

    assert (part.alive, parts.all()) == (False, [])


def test_a_part_that_ended_shows_its_log(tmp_path: Path) -> None:
    """Waiting for it is no use: the reason is in what it wrote."""
    parts = Parts(tmp_path)
    part = parts.start("broken", "sh", "-c", "echo no such thing; exit 3")
    while part.alive:
        os.sched_yield()

    with pytest.raises(PartFailedError, match="no such thing"):
        parts.require("broken")


def test_a_pid_that_is_somebody_elses_by_now_is_left_alone(tmp_path: Path) -> None:
    """The machine gives pids anew: the time of start tells."""
    part = Parts(tmp_path).start("sleeper", "sleep", "600")
    stranger = dataclasses.replace(part, started=part.started - 1)

    stop(stranger)

    assert part.started == started(part.pid)
    stop(part)
    assert not part.alive


def test_a_changed_pin_is_built_anew(tmp_path: Path) -> None:
    """A program counts as built only beside the hash of what it was built from."""
    (tmp_path / "helm").touch()
    (tmp_path / ".helm.pin").write_text(tools.pin())
    assert tools.is_built(tmp_path, "helm")

    (tmp_path / ".helm.pin").write_text(tools.pin()[::-1])

    assert not tools.is_built(tmp_path, "helm")


@pytest.mark.parametrize("package", tools.PACKAGES.values())
def test_every_program_is_pinned(package: str) -> None:
    """The go.mod names its package as a tool, or it is of the module itself."""
    pinned = (TOOLS / "go.mod").read_text()
    assert package.startswith("./") or re.search(
        rf"^(tool )?\s*{re.escape(package)}$", pinned, re.MULTILINE
    )


def test_a_context_that_nobody_answers_at_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a cluster, no other is made in its place."""
    monkeypatch.setenv(GIVEN, "nowhere")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    with pytest.raises(MachineUnfitError, match=f"{GIVEN}=nowhere"):
        up(Folders(tmp_path, tmp_path / "run"))
