"""The schema: made by the revisions, and the same as the code's tables."""

from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text, update

from platform_kit import Database
from platform_kit.errors import RevertRefused
from platform_kit.migrations import read_declaration, revert, upgrade
from product.tables import metadata, products

MIGRATIONS = Path(__file__).parents[3] / "migrations" / "product"

# What the releases up to 1.1.0 write, until a contract takes it.
LEAVING = {("products", "price")}
# How they write, and how the later ones do.
OLD_INSERT = text("INSERT INTO products (sku, name, price, stock) VALUES (:sku, 'Tea', :price, 3)")
NEW_INSERT = insert(products).values(sku="new", name="Tea", stock=3)
PRICES = text("SELECT price, price_cents FROM products ORDER BY sku")
# Among them 0.29, which is 28.999 cents in binary, and the highest that there is.
SAME = [
    (Decimal("0.00"), 0),
    (Decimal("0.01"), 1),
    (Decimal("0.29"), 29),
    (Decimal("12.50"), 1250),
    (Decimal("9999999999.99"), 999_999_999_999),
]


@pytest.fixture
def revisions():
    """The modules of the expand revisions, oldest first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return [each.module for each in script.walk_revisions("base", "expand@head")][::-1]


def not_bookkeeping(_item, name, kind, _reflected, _compare_to):
    """Alembic's and the kit's own tables are theirs to check."""
    return kind != "table" or name not in {"alembic_version", "schema_history"}


def is_ours(item, name, kind, reflected, compare_to):
    """And what leaves is the older code's."""
    leaves = kind == "column" and (item.table.name, name) in LEAVING
    return not leaves and not_bookkeeping(item, name, kind, reflected, compare_to)


def test_the_expand_branch_is_one_line_of_revisions(revisions):
    """The first one carries the label, each other one follows the one before."""
    numbers = [revision.revision for revision in revisions]

    assert numbers[0] == "0001"
    assert [revision.down_revision for revision in revisions] == [None, *numbers[:-1]]
    assert revisions[0].branch_labels == ("expand",)


def test_the_code_needs_a_revision_that_it_brings():
    """Without one, readiness would not look at the schema at all."""
    declared = read_declaration(MIGRATIONS)

    assert declared.needs in declared.known


@pytest.mark.integration
def test_the_expand_phase_applies_every_revision_once(database_url, migrate, revisions):
    """The second run finds nothing to do."""
    first, second = migrate(database_url), migrate(database_url)

    assert first["applied"] == [revision.revision for revision in revisions]
    assert second["applied"] == []
    assert first["after"] == second["before"] == second["after"] == [revisions[-1].revision]


@pytest.mark.integration
def test_the_revisions_make_what_the_code_expects(database):
    """No table, column, type, default or constraint differs."""
    options = {"include_object": is_ours, "compare_server_default": True}
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, metadata) == []


@pytest.mark.integration
def test_what_the_first_release_writes_is_whole_to_this_one(database):
    """1.0.0 knows neither description nor cents: its insert gets them, its select misses nothing."""
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "tea", "price": Decimal("4.50")})
        old = connection.execute(text("SELECT sku, name, price, stock FROM products")).one()
        new = connection.execute(select(products.c.description, products.c.price_cents)).one()

    assert old == ("tea", "Tea", Decimal("4.50"), 3)
    assert new == ("", 450)


@pytest.mark.integration
@pytest.mark.parametrize(("price", "cents"), SAME)
def test_what_an_older_release_writes_this_one_reads_and_back(database, price, cents):
    """Each writes its own column, and the trigger the other's."""
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "old", "price": price})
        connection.execute(NEW_INSERT.values(price_cents=cents))
        found = connection.execute(PRICES).all()

    assert found == [(price, cents)] * 2


@pytest.mark.integration
@pytest.mark.parametrize(("price", "cents"), SAME)
def test_a_price_that_either_release_changes_is_changed_for_both(database, price, cents):
    """Also where the other one wrote it first."""
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "old", "price": Decimal("7.77")})
        connection.execute(NEW_INSERT.values(price_cents=777))
        connection.execute(
            update(products).where(products.c.sku == "old").values(price_cents=cents)
        )
        connection.execute(
            text("UPDATE products SET price = :price WHERE sku = 'new'"), {"price": price}
        )
        found = connection.execute(PRICES).all()

    assert found == [(price, cents)] * 2


@pytest.mark.integration
@pytest.mark.parametrize(
    ("written", "kept"), [("1.004", (Decimal("1.00"), 100)), ("1.005", (Decimal("1.01"), 101))]
)
def test_a_price_between_two_cents_is_rounded_once_for_both(database, written, kept):
    """By the decimal column, as ever: the trigger gets what that keeps."""
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "old", "price": Decimal(written)})
        found = connection.execute(PRICES).one()

    assert found == kept


@pytest.mark.integration
def test_a_way_back_keeps_every_price_and_the_way_up_fills_the_cents(database_url):
    """What this release wrote is there for the one before; what that one writes then is not missed."""
    upgrade("product", phase="expand", database_url=database_url)
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(NEW_INSERT.values(price_cents=29))
    taken = revert("product", to="0002", database_url=database_url).reverted
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "old", "price": Decimal("12.50")})
    upgrade("product", phase="expand", database_url=database_url)
    with database.connect() as connection:
        found = connection.execute(PRICES).all()
        nullable = {
            each["name"]: each["nullable"] for each in inspect(connection).get_columns("products")
        }
    database.dispose()

    assert taken == ["0007", "0006", "0005", "0004", "0003"]
    assert found == [(Decimal("0.29"), 29), (Decimal("12.50"), 1250)]
    assert nullable["price_cents"] is False


HISTORY = text(
    "SELECT sku, kept.price_cents FROM product_prices kept JOIN products ON id = product_id ORDER BY sku, number"
)


@pytest.fixture
def recorded(database_url):
    """A database of before the record of prices, with a product of an older release and one of this."""
    upgrade("product", phase="expand", database_url=database_url)
    database = Database(database_url)
    revert("product", to="0005", database_url=database_url)
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "old", "price": Decimal("12.50")})
        connection.execute(NEW_INSERT.values(price_cents=29))
    yield database
    database.dispose()


@pytest.mark.integration
def test_products_of_before_the_record_get_their_first_price(recorded, database_url):
    """Once, and what they cost from then on follows it, whoever writes that."""
    for _ in range(2):
        upgrade("product", phase="expand", database_url=database_url)
    with recorded.begin() as connection:
        connection.execute(text("UPDATE products SET price = 13 WHERE sku = 'old'"))
        connection.execute(update(products).where(products.c.sku == "new").values(price_cents=30))
        found = connection.execute(HISTORY).all()

    assert found == [("new", 29), ("new", 30), ("old", 1250), ("old", 1300)]


@pytest.mark.integration
@pytest.mark.parametrize("change", ["price = 13", "price_cents = 1300"])
def test_a_price_that_changes_before_the_first_ones_are_filled_loses_none(
    recorded, database_url, change
):
    """Between 0006 and 0007 old code goes on: what it overwrites is recorded first, and not once more by the filling."""
    upgrade("product", phase="expand", database_url=database_url)
    with recorded.begin() as connection:
        connection.execute(text("DELETE FROM product_prices"))  # as 0006 leaves it
        connection.execute(text(f"UPDATE products SET {change} WHERE sku = 'old'"))
        connection.execute(text("UPDATE products SET stock = 1"))
        connection.execute(text("UPDATE products SET price_cents = price_cents"))
        found = connection.execute(HISTORY).all()

    assert found == [("new", 29), ("old", 1250), ("old", 1300)]


@pytest.mark.integration
def test_an_older_release_deletes_a_product_with_its_prices(database):
    """It does not know that there are any."""
    with database.begin() as connection:
        connection.execute(NEW_INSERT.values(price_cents=29))
        connection.execute(text("DELETE FROM products"))

        assert connection.execute(HISTORY).all() == []


@pytest.fixture
def contracted(database_url):
    """A database with a product, after the contract; and what the contract's run said."""
    upgrade("product", phase="expand", database_url=database_url)
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(OLD_INSERT, {"sku": "old", "price": Decimal("12.50")})
    yield database, upgrade("product", phase="contract", database_url=database_url)
    database.dispose()


@pytest.mark.integration
def test_the_contract_leaves_what_the_code_expects_and_keeps_what_was_there(contracted):
    """Of the older code's column nothing is left in the table; its values are in the shadow."""
    database, done = contracted
    with database.connect() as connection:
        kept = connection.execute(
            text("SELECT price FROM platform_kit.products_price_c001")
        ).scalars()
        found = connection.execute(select(products.c.price_cents)).scalars()
        context = MigrationContext.configure(connection, opts={"include_object": not_bookkeeping})

        assert (done.applied, done.oldest_release) == (["c001"], "1.2.0")
        assert list(kept) == [Decimal("12.50")]
        assert list(found) == [1250]
        assert compare_metadata(context, metadata) == []


@pytest.mark.integration
def test_after_the_contract_the_cents_are_written_alone(contracted):
    """By the code as it is, with no trigger that looks for the other column."""
    database, _ = contracted
    with database.begin() as connection:
        connection.execute(NEW_INSERT.values(price_cents=29))
        connection.execute(update(products).values(price_cents=products.c.price_cents + 1))
        found = connection.execute(select(products.c.price_cents).order_by(products.c.sku))
        history = connection.execute(HISTORY).all()

        assert list(found.scalars()) == [30, 1251]
        assert history == [("new", 29), ("new", 30), ("old", 1250), ("old", 1251)]


@pytest.mark.integration
def test_after_the_contract_only_what_came_later_can_be_taken_back(contracted, database_url):
    """The category goes; the cents are all that is left of the prices, so they are refused."""
    with pytest.raises(RevertRefused, match="c001"):
        revert("product", to="0002", database_url=database_url)
    taken = revert("product", to="0003", database_url=database_url).reverted

    assert taken == ["0007", "0006", "0005", "0004"]


@pytest.mark.integration
def test_the_first_revision_can_be_taken_back(database_url, revisions):
    """Its downgrade leaves nothing that its upgrade made."""
    database = Database(database_url)
    first = revisions[0]
    with database.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        tables = {"products", "reservations", "reservation_items"}
        assert set(inspect(connection).get_table_names()) == tables
        with Operations.context(MigrationContext.configure(connection)):
            first.downgrade()

        assert inspect(connection).get_table_names() == []
    database.dispose()
