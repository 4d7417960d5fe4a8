"""What consumers expect of product, asked of the real app on real PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from contract.changes import Changed, changes
from contract.provider import Provider, contracts, expected
from contract.releases import released
from sqlalchemy import text

from product import inventory, reservations
from product.products import ProductId
from product.reservations import Item, ReservationId
from product.tables import metadata

pytestmark = pytest.mark.contract

CONTRACTS = contracts("product")
BREAKING, HARMLESS = changes(Path(__file__).parent / "changes.toml")


@pytest.fixture
def product(database):
    """Product with the states that a consumer may be given: each one is all there is."""

    def no_product():
        with database.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())

    def a_product(id, stock):  # noqa: A002 - the contracts' word
        no_product()
        with database.begin() as connection:
            connection.execute(text(f"ALTER TABLE products ALTER COLUMN id RESTART WITH {int(id)}"))
        inventory.add(database, sku="tea", name="Tea", price_cents=450, stock=stock)

    def a_reservation(id, product_id, quantity):  # noqa: A002 - the contracts' word
        a_product(product_id, stock=10)
        items = [Item(ProductId(product_id), quantity)]
        reservations.reserve(database, ReservationId(UUID(id)), items)

    def a_released_reservation(id, product_id, quantity):  # noqa: A002 - the contracts' word
        a_reservation(id, product_id, quantity)
        reservations.release(database, ReservationId(UUID(id)))

    states = {
        "no product": no_product,
        "a product": a_product,
        "a reservation": a_reservation,
        "a released reservation": a_released_reservation,
    }
    return Provider("product", states)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: path.stem)
def test_product_does_what_a_consumer_expects(app, product, contract):
    """Every interaction of a contract, in the state that it is given."""
    assert expected(contract)
    assert product.broken(app, contract) == {}


def test_the_seeded_changes_are_of_different_kinds():
    """Fifteen at least that break, and fifteen that do not."""
    for seeded in (BREAKING, HARMLESS):
        assert len({change.kind for change in seeded}) == len(seeded) >= 15


def test_product_does_what_the_consumers_that_are_live_expect(app, product, tmp_path):
    """As their newest releases said it, whatever the tree says now; and what the tree says, after that."""
    assert product.broken(app, *released("product", tmp_path), *CONTRACTS) == {}


@pytest.mark.parametrize("change", BREAKING, ids=str)
def test_a_change_that_breaks_a_consumer_is_found(app, product, change, tmp_path):
    """By the expectation that it breaks."""
    changed = Changed(app, change)
    found = product.broken(changed, *change.narrow(CONTRACTS, tmp_path, provider="product"))

    assert change.breaks in found


@pytest.mark.parametrize("change", HARMLESS, ids=str)
def test_a_change_that_breaks_no_consumer_passes(app, product, change):
    """A contract holds up nothing that its consumer does not need."""
    changed = Changed(app, change)

    assert product.broken(changed, *CONTRACTS) == {}
    assert changed.is_shown()
