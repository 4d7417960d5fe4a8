"""Hashing: right, bounded, and of the same cost for everybody."""

import statistics
import threading
import time

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from auth.passwords import Passwords


@pytest.fixture(scope="module")
def passwords():
    return Passwords()


@pytest.mark.parametrize(
    "password", ["correct horse battery", "pässwörd with ümläuts", "nul\0inside it", "x" * 128]
)
def test_a_hash_matches_its_password_only(passwords, password):
    """All of a password counts, whatever its characters."""
    made = passwords.hash(password)

    assert passwords.matches(made, password)
    assert not passwords.matches(made, password[:-1])
    assert not passwords.matches(made, password + "x")


def test_equal_passwords_have_different_hashes(passwords):
    """Each hash has a salt of its own."""
    assert passwords.hash("correct horse battery") != passwords.hash("correct horse battery")


def test_nobodys_hash_matches_nothing(passwords):
    """Without an account there is no right password."""
    for password in ("", "correct horse battery", passwords._nobodys_hash):
        assert not passwords.matches(None, password)


def test_a_hash_that_is_none_is_an_error_and_not_a_wrong_password(passwords):
    """A broken row must be seen, not answered with 401 for ever."""
    with pytest.raises(InvalidHashError):
        passwords.matches("plaintext", "plaintext")


def test_a_turn_is_given_back_after_a_failure(passwords):
    """More failures than there are turns leave the turns usable."""
    for _ in range(5):
        with pytest.raises(InvalidHashError):
            passwords.matches("plaintext", "plaintext")

    assert passwords.matches(passwords.hash("correct horse battery"), "correct horse battery")


class PairingHasher(PasswordHasher):
    """Let every hash wait until so many run, and count how many run at once."""

    def __init__(self, parties=2):
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.pair = threading.Barrier(parties)
        self.lock = threading.Lock()
        self.running = 0
        self.most = 0

    def hash(self, password, *, salt=None):
        """Hash once the other threads do so too."""
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.pair.wait(timeout=10)
        made = super().hash(password, salt=salt)
        self.pair.wait(timeout=10)
        with self.lock:
            self.running -= 1
        return made


def test_two_hashes_run_at_once_and_never_a_third(together):
    """The pairs need two turns to go on; a third at the same time would be counted."""
    passwords = Passwords()
    passwords._hasher = hasher = PairingHasher()

    together(8, lambda: passwords.hash("correct horse battery"))

    assert hasher.most == 2


def test_the_pairing_hasher_would_see_a_third(together):
    """The negative control: without turns all eight run at once."""
    passwords = Passwords()
    passwords._turns = threading.BoundedSemaphore(8)
    passwords._hasher = hasher = PairingHasher(parties=8)

    together(8, lambda: passwords.hash("correct horse battery"))

    assert hasher.most == 8


@pytest.mark.integration
def test_an_unknown_account_has_a_password_compared_all_the_same(client, customer, monkeypatch):
    """One hash of the same kind each: nobody's for the one, the account's for the other."""
    compared = []
    verify = PasswordHasher.verify

    def watched(hasher, known, password):
        compared.append(known)
        return verify(hasher, known, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    for email in (customer.email, "nobody@example.test"):
        client.post("/api/v1/tokens", json={"email": email, "password": "wrong"})

    parameters = [known.rsplit("$", 2)[0] for known in compared]
    assert parameters == ["$argon2id$v=19$m=19456,t=2,p=1"] * 2
    assert len(set(compared)) == 2


def cpu_seconds(client, body):
    """The processor time of this thread for one login: steadier than a clock on a busy machine."""
    start = time.thread_time()
    client.post("/api/v1/tokens", json=body)
    return time.thread_time() - start


@pytest.mark.integration
def test_an_unknown_account_costs_as_much_as_a_wrong_password(client, customer):
    """The time of an answer does not tell who has an account."""
    emails = {"wrong": customer.email, "unknown": "nobody@example.test", "invalid": "nobody"}
    bodies = {name: {"email": email, "password": "wrong"} for name, email in emails.items()}
    # Nine: the tenth failure locks both, and then neither has a hash.
    rounds = [{name: cpu_seconds(client, body) for name, body in bodies.items()} for _ in range(9)]
    typical = {name: statistics.median(costs[name] for costs in rounds) for name in bodies}

    assert 0.75 < typical["unknown"] / typical["wrong"] < 1.33
    assert typical["unknown"] > 3 * typical["invalid"]  # the control: a login without a hash
