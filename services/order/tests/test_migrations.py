"""The schema: made by the revisions, and the same as the code's tables."""

from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from order.orders import Status, columns, status_of
from order.tables import metadata, orders
from platform_kit import Database
from platform_kit.migrations import read_declaration, revert, upgrade

MIGRATIONS = Path(__file__).parents[3] / "migrations" / "order"


# What the release before writes and looks things up by, until a contract takes it.
LEAVING = {("orders", "status"), ("orders", "orders_of_customer"), ("orders", "orders_unsettled")}

# What the first release writes.
INSERT = text(
    "INSERT INTO orders (id, customer, idempotency_key, status)"
    " VALUES (gen_random_uuid(), 'ada', gen_random_uuid()::text, :status)"
)


@pytest.fixture
def revisions():
    """The modules of the expand revisions, oldest first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return [each.module for each in script.walk_revisions("base", "expand@head")][::-1]


def place(connection, status):
    """Write an order with a status down, as this release does."""
    ids = {"id": uuid4(), "customer": "ada", "idempotency_key": str(uuid4())}
    connection.execute(insert(orders).values(**ids, **columns(status)))


def statuses(connection):
    """The status of every order, as the first release reads it and as this one does."""
    first = connection.execute(text("SELECT status FROM orders")).scalars()
    return list(first), [status_of(row) for row in connection.execute(select(orders))]


def not_bookkeeping(_item, name, kind, _reflected, _compare_to):
    """Alembic's and the kit's own tables are theirs to check."""
    return kind != "table" or name not in {"alembic_version", "schema_history"}


def is_ours(item, name, kind, reflected, compare_to):
    """And what leaves is the older code's."""
    leaves = kind in {"column", "index"} and (item.table.name, name) in LEAVING
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
@pytest.mark.parametrize("status", Status)
def test_what_the_first_release_writes_the_second_reads_and_back(database, status):
    """Each writes its own columns, and the trigger the other's."""
    with database.begin() as connection:
        connection.execute(INSERT, {"status": status.value})
        place(connection, status)

        assert statuses(connection) == ([status] * 2, [status] * 2)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Status.PENDING, Status.PLACED),
        (Status.PENDING, Status.RELEASING),
        (Status.PLACED, Status.CANCELLING),
        (Status.CANCELLING, Status.CANCELLED),
    ],
)
def test_a_step_of_either_release_is_one_of_the_other_too(database, before, after):
    """Whoever wrote the order before."""
    with database.begin() as connection:
        connection.execute(INSERT, {"status": before.value})
        place(connection, before)
        connection.execute(text("UPDATE orders SET status = :after"), {"after": after.value})
        by_first = statuses(connection)
        connection.execute(update(orders).values(**columns(before)))
        connection.execute(update(orders).values(**columns(after)))

        assert by_first == statuses(connection) == ([after] * 2, [after] * 2)


@pytest.mark.integration
def test_orders_from_before_have_their_target(database_url):
    """The first release wrote them when there was nothing else; no row is left out."""
    upgrade("order", phase="expand", database_url=database_url)
    revert("order", to="0001", database_url=database_url)
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(INSERT, [{"status": each.value} for each in Status])
    upgrade("order", phase="expand", database_url=database_url)
    with database.connect() as connection:
        first, second = statuses(connection)
    database.dispose()

    assert sorted(first) == sorted(second) == sorted(Status)


@pytest.mark.integration
def test_a_cancelled_order_whose_event_goes_with_the_outbox_is_left_to_any_sweeper(database_url):
    """To that of the release before, and to this one's when the schema is back."""
    upgrade("order", phase="expand", database_url=database_url)
    database = Database(database_url)
    with database.begin() as connection:
        place(connection, Status.CANCELLING)
        place(connection, Status.CANCELLED)
        connection.execute(update(orders).values(cancelled_at=func.now()))
    revert("order", to="0003", database_url=database_url)
    upgrade("order", phase="expand", database_url=database_url)
    with database.connect() as connection:
        found = {status_of(row): row.cancelled_at for row in connection.execute(select(orders))}
    database.dispose()

    assert found[Status.CANCELLING] is None
    assert found[Status.CANCELLED] is not None


@pytest.mark.integration
def test_a_word_that_is_no_status_of_the_first_release_is_nobodys_work(database):
    """Its sweeper would leave the order alone, so this one must."""
    with database.begin() as connection:
        connection.execute(INSERT, {"status": "on hold"})

        assert statuses(connection) == (["on hold"], [Status.PLACED])


@pytest.mark.integration
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("target_status = 'lost'", "orders_target_status"),
        ("target_status = NULL", "null value"),
        ("settled = NULL", "null value"),
    ],
)
def test_where_an_order_goes_is_one_of_three_and_always_said(database, change, refusal):
    """The database says so to whoever writes."""
    with database.begin() as connection:
        place(connection, Status.PLACED)
    with pytest.raises(IntegrityError, match=refusal), database.begin() as connection:
        connection.execute(text(f"UPDATE orders SET {change}"))


@pytest.mark.integration
def test_the_contract_leaves_what_the_code_expects_and_keeps_what_was_there(database_url):
    """Of the older code's column and indexes nothing is left; its values are in the shadow."""
    upgrade("order", phase="expand", database_url=database_url)
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(INSERT, {"status": "cancelling"})
    applied = upgrade("order", phase="contract", database_url=database_url).applied
    with database.begin() as connection:
        kept = connection.execute(
            text("SELECT status FROM platform_kit.orders_status_c001")
        ).scalars()
        (found,) = connection.execute(select(orders)).all()
        context = MigrationContext.configure(connection, opts={"include_object": not_bookkeeping})

        assert list(applied) == ["c001"]
        assert list(kept) == ["cancelling"]
        assert status_of(found) is Status.CANCELLING
        assert compare_metadata(context, metadata) == []
        place(connection, Status.PENDING)  # without the trigger
    database.dispose()


@pytest.mark.integration
def test_the_first_revision_can_be_taken_back(database_url, revisions):
    """Its downgrade leaves nothing that its upgrade made."""
    database = Database(database_url)
    first = revisions[0]
    with database.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        assert set(inspect(connection).get_table_names()) == {"orders", "order_items"}
        with Operations.context(MigrationContext.configure(connection)):
            first.downgrade()

        assert inspect(connection).get_table_names() == []
    database.dispose()
