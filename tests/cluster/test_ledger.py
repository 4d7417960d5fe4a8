"""The ledger of a cluster, against a real API server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import urllib3
from api_server import Access, ApiServer, api_server
from checkouts import make_checkout
from ledger.promises import ABORT, ANN, BOB, LAPSED, PRODUCT, PROMISES, done, name_of
from paper import Paper
from polling import eventually

from deployer.cluster import Cluster
from deployer.commands import observer
from deployer.commands.replay import replay
from deployer.commands.rollback import wish
from deployer.commands.running import resume
from deployer.commands.why import account_of, why
from deployer.errors import DeployerError, OperationError
from deployer.ledger import Entry, Lease, LeaseHeldError, Ledger, StaleFenceError, Verb
from deployer.ledger.cluster import ClusterLedger, Notice, NoticeBoard, route
from deployer.ledger.cluster.notices import Subject
from deployer.ledger.holder import this_holder
from deployer.model import RolloutId

pytestmark = pytest.mark.cluster

WATCH_SECONDS = 0.5  # nobody renews in most tests
ROUNDS = 20
MAPS = "/api/v1/namespaces/{}/configmaps"
CHILD = Path(__file__).parent / "holding.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def access(server: ApiServer) -> Access:
    return server.access


@pytest.fixture
def kept(access: Access, request: pytest.FixtureRequest) -> Kept:
    """Fresh namespaces, one a service, and a connection that counts what it sends."""
    name = re.sub(r"[^a-z]+", "-", request.node.name.lower()).strip("-")[-40:].strip("-")
    return Kept(access, name)


class Counting(Cluster):
    """A real connection that notes each request."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.url, cluster.pool, credentials=cluster._credentials)
        self.asked: list[str] = []
        self.away_until = 0.0

    def _try(self, method: str, path: str, *rest: Any) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path.partition('?')[0].rpartition('/')[2]}")
        if time.monotonic() < self.away_until:
            return 0, b"the connection was refused"
        return super()._try(method, path, *rest)


class Kept:
    """A ledger in namespaces of a test's own, and what lies in them."""

    def __init__(self, access: Access, name: str) -> None:
        self.access = access
        self.name = name
        self.cluster = Counting(access.connect())
        for service in ("product", "order", "auth"):
            body = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.space(service)},
            }
            self.cluster.create("/api/v1/namespaces", body)
        self.ledger = self.another()

    def space(self, service: str) -> str:
        return f"{service}-{self.name}"

    def another(self, *, watch_seconds: float = WATCH_SECONDS) -> ClusterLedger:
        """Return the ledger as another process has it: it remembers nothing."""
        cluster = Counting(self.access.connect()) if hasattr(self, "ledger") else self.cluster
        return ClusterLedger(cluster, self.space, watch_seconds=watch_seconds)

    def maps(self) -> dict[str, Any]:
        found = self.cluster.list(MAPS.format(self.space("product")), labels="deployer/kind")
        return {each["metadata"]["name"]: each for each in found}

    def path(self, name: str) -> str:
        return f"{MAPS.format(self.space('product'))}/{name}"

    def begun(self) -> tuple[Lease, RolloutId]:
        lease = self.ledger.acquire(PRODUCT, ANN, now=100.0)
        return lease, self.ledger.begin(lease, "{}", now=100.0)


def size_of(thing: Any) -> int:
    return len(json.dumps(thing))


@pytest.mark.parametrize("promise", PROMISES, ids=name_of)
def test_the_ledger_of_a_cluster(promise: Callable[[Ledger], None], kept: Kept):
    """It keeps the promises that the ledgers of one machine keep."""
    promise(kept.ledger)


def test_an_append_is_one_request(kept: Kept):
    """Once a second and rollout, and one more when the events go into another ConfigMap."""
    lease, rollout = kept.begun()
    kept.ledger.append(lease, rollout, done(101.0))
    kept.cluster.asked.clear()
    for number in range(200):
        kept.ledger.append(lease, rollout, done(102.0 + number))

    assert Counter(kept.cluster.asked) == {f"PATCH rollout-{rollout:06}": 200}


def test_a_wish_is_asked_for_ten_times_a_second_at_most(kept: Kept):
    """However often the driver wants to know; and one that is left is seen within that time."""
    _, rollout = kept.begun()
    kept.cluster.asked.clear()
    began = time.monotonic()
    while (asked_for := time.monotonic() - began) < 1.0:
        assert not kept.ledger.has_requests(PRODUCT, rollout)
    assert len(kept.cluster.asked) <= 10 * asked_for + 2

    kept.another().request(PRODUCT, rollout, ABORT)
    assert eventually(lambda: kept.ledger.has_requests(PRODUCT, rollout), seconds=1.0)


def test_looks_of_75_minutes_fit(kept: Kept):
    """4,500 of them whose digits all change, in a few ConfigMaps far below a mebibyte."""
    lease, rollout = kept.begun()
    written = [look(number) for number in range(4500)]
    for entry in written:
        kept.ledger.append(lease, rollout, entry)
    sizes = {name: size_of(found) for name, found in kept.maps().items() if "rollout-" in name}

    assert sum(len(entry.body) for entry in written) > 2_000_000
    assert len(sizes) > 1
    assert max(sizes.values()) < 200_000
    assert sum(sizes.values()) < 500_000
    assert kept.another().entries(PRODUCT, rollout) == tuple(written)


def look(number: int) -> Entry:
    """A look as the driver writes it, with digits that change."""
    some = (number * 7919) % 97
    counts = {"requests": 8 + some, "failed": some % 3, "slow": some % 2, "refused": some % 5}
    body = {
        "at": 1000.0 + number * 1.0137,
        "look": {
            "at": 1000.0 + number * 1.0137,
            "candidate": counts,
            "live": {name: value * 9 for name, value in counts.items()},
            "candidate_healthy": True,
            "memory_share": 0.4 + some / 1013,
            "cpu_share": 0.3 + some / 2027,
            "reachable": True,
            "instances_since": 1000.25,
            "latency": {
                "bounds": [0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0],
                "counts": [some % 7, some, some % 11, some % 3, 0, 0, 0, 0, 0],
            },
            "outcomes": [{"name": "orders", "attempts": some, "successes": some}],
            "live_outcomes": [{"name": "orders", "attempts": some * 9, "successes": some * 9}],
        },
    }
    return Entry(body["at"], "looked", json.dumps(body), "watching 2/5 25% more-data:holding")


def test_an_event_with_a_long_log_fits(kept: Kept):
    """It fills a block by itself, and the next one begins another."""
    lease, rollout = kept.begun()
    long = Entry(101.0, "failed", json.dumps({"details": os.urandom(150_000).hex()}), "guarding")
    written = (done(100.5), long, done(102.0), long, done(103.0))
    for entry in written:
        kept.ledger.append(lease, rollout, entry)

    assert kept.another().entries(PRODUCT, rollout) == written


def test_a_change_by_somebody_else_costs_no_event(kept: Kept):
    """A person who annotates the ConfigMap makes the next append read it again."""
    lease, rollout = kept.begun()
    for number in range(5):
        kept.ledger.append(lease, rollout, done(101.0 + number))
        note = {"metadata": {"annotations": {"somebody/was-here": str(number)}}}
        kept.cluster.patch(kept.path(f"rollout-{rollout:06}"), note)

    assert len(kept.ledger.entries(PRODUCT, rollout)) == 5


def test_a_write_whose_answer_is_lost_is_written_once(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """The second try meets its own first one: events, wishes, rollouts and leases."""
    send, lost = Cluster._try, list[str]()

    def lossy(self: Cluster, method: str, path: str, *rest: Any) -> tuple[int, bytes]:
        answer = send(self, method, path, *rest)
        if method == "GET" or method + path in lost:
            return answer
        lost.append(method + path)
        return 0, b"the connection was reset"

    monkeypatch.setattr(Cluster, "_try", lossy)
    ledger = kept.ledger
    lease = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    ledger.append(lease, rollout, done(101.0))
    lost.clear()
    ledger.append(lease, rollout, done(102.0))
    ledger.request(PRODUCT, rollout, ABORT)
    lost.clear()
    ledger.renew(lease, now=102.0)
    ledger.finish(lease, rollout, "promoted", now=103.0)
    lost.clear()
    ledger.release(lease)

    assert len(lost) == 1
    assert kept.another().entries(PRODUCT, rollout) == (done(101.0), done(102.0))
    assert ledger.requests(PRODUCT, rollout) == (ABORT,)
    assert [(each.id, each.outcome) for each in ledger.history(PRODUCT)] == [(1, "promoted")]
    assert ledger.acquire(PRODUCT, BOB, now=103.0).fence == 2


def test_two_threads_that_want_the_lease_never_both_get_it(kept: Kept):
    """Exactly one, twenty times in a row, and the other is told whose it is."""
    ledgers = (kept.another(), kept.another())
    fences = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            start = threading.Barrier(2)

            def grab(ledger: ClusterLedger, start: threading.Barrier = start, now=float(number)):
                start.wait()
                try:
                    return ledger.acquire(PRODUCT, this_holder(), now=now)
                except LeaseHeldError as refused:
                    return refused.lease.holder

            found = list(pool.map(grab, ledgers))
            (lease,) = [each for each in found if isinstance(each, Lease)]
            assert [each for each in found if each is not lease] == [this_holder()]
            fences.append(lease.fence)
            kept.ledger.release(lease)

    assert fences == sorted(set(fences))


def test_two_processes_that_want_the_lease_never_both_get_it(kept: Kept):
    """As above, with nothing in common but the cluster."""
    children = [child(kept, "race", str(ROUNDS)) for _ in range(2)]
    winners: list[tuple[int, int]] = []
    for number in range(ROUNDS):
        for each in children:
            say(each, "go")
        said = [hear(each) for each in children]
        won = [index for index, text in enumerate(said) if text.startswith("won")]
        assert len(won) == 1, said
        (other,) = {0, 1} - set(won)
        assert said[other].removeprefix("held ").split(":")[1] == str(children[won[0]].pid)
        winners.append((number, int(said[won[0]].split()[1])))
        for each in children:
            say(each, "over")
            hear(each)
    for each in children:
        each.communicate()

    fences = [fence for _, fence in winners]
    assert fences == sorted(set(fences))


def test_a_holder_that_wakes_up_changes_nothing(kept: Kept):
    """It remembers the ConfigMap as it was, and that is not how it is any more."""
    lease, rollout = kept.begun()
    kept.ledger.append(lease, rollout, done(101.0))
    other = kept.another()
    other.acquire(PRODUCT, BOB, now=100.0 + LAPSED)
    with pytest.raises(StaleFenceError) as refused:
        kept.ledger.append(lease, rollout, done(111.0))

    assert refused.value.code == "lease-lost"
    assert other.entries(PRODUCT, rollout) == (done(101.0),)


def test_a_holder_that_wakes_up_in_the_middle_of_an_overflow_changes_nothing(kept: Kept):
    """What it moved lies where nobody looks; the next holder moves the same again."""
    lease, rollout = kept.begun()
    written = [Entry(100.0 + n, "done", os.urandom(20_000).hex(), "") for n in range(12)]
    create = kept.cluster.create
    taken: list[Lease] = []
    other = kept.another()

    def overtaken(path: str, body: dict[str, Any]) -> dict[str, Any]:
        made = create(path, body)
        if body["metadata"]["name"].endswith("-2.1"):
            taken.append(other.acquire(PRODUCT, BOB, now=100.0 + LAPSED))
        return made

    kept.cluster.create = overtaken  # type: ignore[method-assign]
    refused = 0
    for entry in written:
        try:
            kept.ledger.append(lease, rollout, entry)
        except StaleFenceError:
            refused += 1
            other.append(taken[0], rollout, entry)
            lease, kept.ledger = taken[0], other

    assert refused == 1
    assert {"rollout-000001-2.1", "rollout-000001-2.2"} < set(kept.maps())
    assert kept.another().entries(PRODUCT, rollout) == tuple(written)


def test_a_holder_that_is_killed_is_followed_within_30_seconds(kept: Kept):
    """One of another machine, whose death only its silence shows, by who watches each second."""
    holding = child(kept, "hold", BOB)
    assert hear(holding).startswith("won")
    watcher = kept.another(watch_seconds=5.0)

    def free() -> bool:
        try:
            return watcher.acquire(PRODUCT, ANN, now=time.time()).fence == 2
        except LeaseHeldError:
            return False

    assert not eventually(free, seconds=12.0), "a holder that lives was taken for dead"
    holding.kill()
    holding.communicate()
    began = time.monotonic()
    assert eventually(free, seconds=30.0)
    assert time.monotonic() - began < 30.0


def test_a_holder_whose_clock_is_wrong_is_not_taken_for_dead(kept: Kept):
    """An hour behind or ahead: what counts is whether it renews."""
    for service_clock in ("-3600", "3600"):
        holding = child(kept, "hold", BOB, service_clock)
        assert hear(holding).startswith("won")
        with pytest.raises(LeaseHeldError):
            kept.another(watch_seconds=5.0).acquire(PRODUCT, ANN, now=time.time())
        holding.kill()
        holding.communicate()
        taken = kept.another(watch_seconds=5.0).acquire(PRODUCT, ANN, now=time.time())
        kept.ledger.release(taken)


def test_a_dead_process_of_this_machine_loses_its_lease_at_once(kept: Kept):
    """Nobody waits out the term of a holder that was killed."""
    holding = child(kept, "hold")
    assert hear(holding).startswith("won")
    holding.kill()
    holding.communicate()
    began = time.monotonic()
    kept.ledger.acquire(PRODUCT, this_holder(), now=time.time())

    assert time.monotonic() - began < 2.0


def test_a_lease_that_somebody_deletes_does_not_reset_the_fence(kept: Kept):
    """Targets refuse a number that is lower than one they have seen."""
    lease, rollout = kept.begun()
    kept.ledger.append(lease, rollout, done(101.0))
    space = kept.space("product")
    kept.cluster.delete(f"/apis/coordination.k8s.io/v1/namespaces/{space}/leases/product")
    with pytest.raises(StaleFenceError):
        kept.ledger.renew(lease, now=102.0)

    assert kept.another().acquire(PRODUCT, BOB, now=103.0).fence == lease.fence + 1


def test_a_rollout_that_was_listed_before_its_holder_died_goes_on(kept: Kept):
    """Whoever comes next makes the ConfigMap that is missing."""
    _, rollout = kept.begun()
    kept.cluster.delete(kept.path(f"rollout-{rollout:06}"))
    lease = kept.another().acquire(PRODUCT, BOB, now=100.0 + LAPSED)
    kept.another().append(lease, rollout, done(111.0))

    assert kept.another().entries(PRODUCT, rollout) == (done(111.0),)


def test_a_part_that_somebody_deletes_is_missed(kept: Kept):
    """Half a rollout is none: the error names what is missing."""
    lease, rollout = kept.begun()
    for number in range(12):
        kept.ledger.append(
            lease, rollout, Entry(101.0 + number, "done", os.urandom(20_000).hex(), "")
        )
    kept.cluster.delete(kept.path("rollout-000001-2.1"))
    with pytest.raises(OperationError) as missed:
        kept.another().entries(PRODUCT, rollout)

    assert missed.value.code == "ledger-damaged"
    assert "rollout-000001-2.1" in missed.value.cause


def test_a_rollout_that_somebody_deletes_takes_no_more_events(kept: Kept):
    """A new ConfigMap in its place would tell half of what happened."""
    lease, rollout = kept.begun()
    kept.ledger.append(lease, rollout, done(101.0))
    kept.cluster.delete(kept.path(f"rollout-{rollout:06}"))
    with pytest.raises(OperationError) as missed:
        kept.ledger.append(lease, rollout, done(102.0))

    assert missed.value.code == "ledger-damaged"


def test_old_rollouts_are_reduced_to_their_header(kept: Kept):
    """The last 20 stay whole; of 200 there is still how they ended, and of the rest nothing."""
    lease = kept.ledger.acquire(PRODUCT, ANN, now=0.0)
    for number in range(1, 206):
        rollout = kept.ledger.begin(lease, json.dumps({"number": number}), now=float(number))
        kept.ledger.append(lease, rollout, Entry(1.0, "done", "{}", f"promoted {number}"))
        kept.ledger.request(PRODUCT, rollout, ABORT)
        kept.ledger.finish(lease, rollout, "promoted", now=float(number))
    listed = kept.another().history(PRODUCT, limit=1000)
    whole = [header.id for header in listed if not header.summary]

    assert [header.id for header in listed] == list(range(205, 5, -1))
    assert whole == list(range(205, 185, -1))
    assert listed[20].summary == "promoted 185"
    assert json.loads(listed[-1].order) == {"number": 6}
    assert kept.ledger.entries(PRODUCT, RolloutId(185)) == ()
    assert len(kept.ledger.entries(PRODUCT, RolloutId(186))) == 1
    assert len(kept.maps()) == 1 + 2 * 20
    assert size_of(kept.maps()["rollouts"]) < 100_000


def test_a_rollout_is_readable_with_kubectl(kept: Kept):
    """Labels to choose by, and where it stands as text."""
    lease, rollout = kept.begun()
    kept.ledger.append(lease, rollout, done(101.0))
    found = kept.maps()[f"rollout-{rollout:06}"]
    assert found["metadata"]["labels"] == {
        "deployer/kind": "rollout",
        "deployer/service": "product",
        "deployer/rollout": "1",
    }
    assert found["data"] == {"headline": "watching 101"}

    kept.ledger.finish(lease, rollout, "promoted", now=102.0)
    assert kept.maps()["rollouts"]["data"]["newest"] == "rollout 1: promoted watching 101"
    labels = kept.maps()[f"rollout-{rollout:06}"]["metadata"]["labels"]
    assert labels["deployer/outcome"] == "promoted"


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paper:
    """Real commands in an environment where nothing is built or started."""
    monkeypatch.setattr(observer, "SAMPLE_SECONDS", 0.0)  # there is no traffic to sample
    return Paper(make_checkout(tmp_path / "checkout", tmp_path / "releases"))


def test_the_commands_work_on_it(kept: Kept, paper: Paper):
    """A rollout whose process dies is resumed, told and replayed from the cluster alone."""
    paper.context.__dict__["ledger"] = kept.ledger
    version = paper.interrupt()
    with pytest.raises(DeployerError, match="interrupted"):
        paper.interrupt()
    paper.context.__dict__["ledger"] = kept.another()
    request = wish(paper.context, Verb.PROMOTE, why="by hand")
    (header,) = paper.context.ledger.history(PRODUCT, limit=1)
    paper.context.ledger.request(PRODUCT, header.id, request)
    state = resume(paper.context, PRODUCT, listen=paper.push)
    (account,) = why(paper.context, PRODUCT)
    (replayed,) = replay(paper.context, PRODUCT)

    assert state is not None
    assert (account.candidate, account.outcome, account.summary) == (version, state.phase, "")
    assert "resumed" in [decision.rule for decision in account.decisions]
    assert "asked for" in [decision.rule for decision in account.decisions]
    assert replayed.divergence is None
    assert replayed.events > 10


def test_why_says_that_details_are_gone(kept: Kept, paper: Paper):
    """An old rollout is still listed with where it ended, and no decision is made up."""
    order = paper.context.ledger.history(PRODUCT)[0].order
    paper.context.__dict__["ledger"] = kept.ledger
    lease = kept.ledger.acquire(PRODUCT, ANN, now=0.0)
    for number in range(21):
        rollout = kept.ledger.begin(lease, order, now=float(number))
        kept.ledger.append(lease, rollout, Entry(1.0, "done", "{}", "promoted 1/1 100% -"))
        kept.ledger.finish(lease, rollout, "promoted", now=float(number))
    oldest = account_of(paper.context, kept.ledger.history(PRODUCT)[-1])

    assert (oldest.summary, oldest.decisions) == ("promoted 1/1 100% -", ())


def test_kubectl_describe_tells_what_a_rollout_did(kept: Kept, tmp_path: Path):
    """Notices about an object are its Events: in their order, long ones cut."""
    kept.ledger.acquire(PRODUCT, ANN, now=100.0)
    subject = Subject("coordination.k8s.io/v1", "Lease", "leases", kept.space("product"), "product")
    board = NoticeBoard(kept.cluster, subject)
    board.put(Notice("WeightShifted", "product@1.1.0 gets 10 % of the traffic"))
    board.put(Notice("VerdictFailed", "ü" * 2000, warning=True))
    assert board.flush(seconds=10.0)
    kubeconfig = kept.access.kubeconfig(tmp_path / "kubeconfig")
    command = ("kubectl", "--kubeconfig", kubeconfig, "-n", kept.space("product"))
    told = subprocess.run(
        (*command, "describe", "lease", "product"), capture_output=True, text=True, check=True
    ).stdout

    assert re.search(r"Normal +WeightShifted .*product@1.1.0 gets 10 % of the traffic", told)
    assert re.search(r"Warning +VerdictFailed .*ü{500,}…", told)


def test_notices_are_left_out_where_no_cluster_answers():
    """Nobody waits for them, however many there are."""
    nowhere = Cluster("http://127.0.0.1:1", urllib3.PoolManager(), patience_seconds=60.0)
    board = NoticeBoard(nowhere, route("product-dev", "product"))
    began = time.monotonic()
    for _ in range(1000):
        board.put(Notice("WeightShifted", "in vain"))

    assert not board.flush(seconds=0.1)
    assert time.monotonic() - began < 2.0


def test_an_api_server_that_restarts_ends_no_rollout(kept: Kept, server: ApiServer):
    """Away for longer than a lease lasts: the holder goes on, and who watches does not take over."""
    lease = kept.ledger.acquire(PRODUCT, ANN, now=time.time())
    rollout = kept.ledger.begin(lease, "{}", now=time.time())
    kept.ledger.append(lease, rollout, done(1.0))
    stopped, watcher = threading.Event(), kept.another(watch_seconds=5.0)
    tried: list[str] = []

    def renew() -> None:
        while not stopped.wait(2.0):
            kept.ledger.renew(lease, now=time.time())

    def watch() -> None:
        while not stopped.wait(1.0):
            try:
                watcher.acquire(PRODUCT, BOB, now=time.time())
                tried.append("taken")
            except LeaseHeldError:
                tried.append("held")

    threads = [threading.Thread(target=each) for each in (renew, watch)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: tried)
    server.down("kube-apiserver")
    restart = threading.Timer(12.0, server.up)
    restart.start()
    began = time.monotonic()
    kept.ledger.append(lease, rollout, done(2.0))
    away_seconds = time.monotonic() - began
    restart.join()
    seen = len(tried)
    assert eventually(lambda: len(tried) > seen + 8, seconds=30.0)
    stopped.set()
    for thread in threads:
        thread.join()

    assert away_seconds > 11.0
    assert set(tried) == {"held"}
    assert kept.another().entries(PRODUCT, rollout) == (done(1.0), done(2.0))


def test_who_watches_lets_the_holder_renew_after_the_server_was_away(kept: Kept):
    """A lease that was seen before and after did not change because nobody could change it."""
    renewed_after, watched_seconds = 7.0, 4.0  # 4 s away, at most 2 s until the next try
    lease = kept.ledger.acquire(PRODUCT, ANN, now=time.time())
    cluster = Counting(kept.access.connect())
    watcher = ClusterLedger(
        cluster, kept.space, lease_seconds=watched_seconds, watch_seconds=watched_seconds
    )
    with pytest.raises(LeaseHeldError):
        watcher.acquire(PRODUCT, BOB, now=time.time())
    cluster.away_until = time.monotonic() + 4.0
    renewal = threading.Timer(renewed_after, lambda: kept.ledger.renew(lease, now=time.time()))
    renewal.start()
    with pytest.raises(LeaseHeldError) as refused:
        watcher.acquire(PRODUCT, BOB, now=time.time())
    renewal.join()

    assert refused.value.lease.fence == lease.fence


def child(kept: Kept, *arguments: str) -> subprocess.Popen[str]:
    """Start a process that wants the lease."""
    return subprocess.Popen(
        (sys.executable, CHILD, kept.name, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **kept.access.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def say(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
