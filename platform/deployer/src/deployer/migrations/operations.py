"""What a statement does to a schema, as values: the words that rules and locks are stated in.

`parse` makes them of SQL; nothing else knows a parser. One statement can hold several (an ALTER
TABLE has one a command). Names are as PostgreSQL finds them: `table`, or `schema.table` when the
schema is not `public`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Lock(StrEnum):
    """The table locks of PostgreSQL, weakest first; the names are the documentation's."""

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"

    @property
    def strength(self) -> int:
        """Its place in the order, from 0."""
        return list(Lock).index(self)

    @property
    def stops_writers(self) -> bool:
        """Whether an INSERT has to wait for it."""
        return self.strength >= Lock.SHARE.strength


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type: its bare name (`int4`, `varchar`) and modifiers (length, precision)."""

    name: str
    modifiers: tuple[int, ...] = ()


class DefaultKind(StrEnum):
    """What a column's default costs when the column is added."""

    NONE = "none"
    CONSTANT = "constant"  # the same for every row: kept in the catalogue
    VOLATILE = "volatile"  # evaluated a row: the table is rewritten


class ConstraintKind(StrEnum):
    """What a constraint asks."""

    CHECK = "check"
    FOREIGN_KEY = "foreign key"
    UNIQUE = "unique"
    PRIMARY_KEY = "primary key"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a table.

    `parent` is the table that a foreign key points to, `index` the one it is made of (USING INDEX),
    `proves_not_null` the columns that a check holds not to be NULL, `mentions` those that it reads.
    """

    kind: ConstraintKind
    name: str = ""
    columns: tuple[str, ...] = ()
    valid: bool = True
    parent: str = ""
    parent_columns: tuple[str, ...] = ()
    index: str = ""
    proves_not_null: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it is defined."""

    name: str
    type: Type
    not_null: bool = False
    default: DefaultKind = DefaultKind.NONE
    serial: bool = False
    identity: bool = False
    generated: bool = False
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class AddColumn:
    """ADD COLUMN."""

    table: str
    column: Column


@dataclass(frozen=True, slots=True)
class DropColumn:
    """DROP COLUMN."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class AlterType:
    """`plain` is whether USING is absent or only names the column, cast or not."""

    table: str
    column: str
    type: Type
    plain: bool


@dataclass(frozen=True, slots=True)
class SetNotNull:
    """SET NOT NULL."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class DropNotNull:
    """DROP NOT NULL."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class ChangeDefault:
    """SET DEFAULT or DROP DEFAULT."""

    table: str
    column: str
    drop: bool


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """ADD CONSTRAINT, with a name or without."""

    table: str
    constraint: Constraint


@dataclass(frozen=True, slots=True)
class ValidateConstraint:
    """VALIDATE CONSTRAINT."""

    table: str
    name: str


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """DROP CONSTRAINT."""

    table: str
    name: str


@dataclass(frozen=True, slots=True)
class AttachPartition:
    """ATTACH PARTITION."""

    table: str
    partition: str


@dataclass(frozen=True, slots=True)
class DetachPartition:
    """DETACH PARTITION."""

    table: str
    partition: str
    concurrently: bool


@dataclass(frozen=True, slots=True)
class AlterTable:
    """Any other command of ALTER TABLE, with the lock that PostgreSQL takes for it."""

    table: str
    lock: Lock
    rewrite: bool = False
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Rename:
    """`kind` is column, table, constraint, index, schema, or another object's; `table` may be empty."""

    kind: str
    table: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class SetSchema:
    """SET SCHEMA: the object moves to another one."""

    kind: str
    name: str
    schema: str


@dataclass(frozen=True, slots=True)
class CreateTable:
    """`reads` are the tables it is made of (AS, LIKE), `inherits` its parents."""

    table: str
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    reads: tuple[str, ...] = ()
    inherits: tuple[str, ...] = ()
    is_partition: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """`kind` is table, view, function, schema, ...; `owners` are the tables of triggers and policies."""

    kind: str
    names: tuple[str, ...]
    owners: tuple[str, ...] = ()
    cascade: bool = False
    concurrently: bool = False
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """CREATE INDEX; an expression's column has an empty name."""

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool
    concurrently: bool
    method: str
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class Reindex:
    """REINDEX of an index, a table, a schema, ..."""

    kind: str
    name: str
    concurrently: bool


@dataclass(frozen=True, slots=True)
class CreateTrigger:
    """CREATE TRIGGER."""

    table: str
    name: str


@dataclass(frozen=True, slots=True)
class CreateView:
    """CREATE VIEW, or one whose rows are kept."""

    name: str
    reads: tuple[str, ...]
    replace: bool = False
    materialized: bool = False


@dataclass(frozen=True, slots=True)
class Refresh:
    """REFRESH MATERIALIZED VIEW."""

    name: str
    concurrently: bool


@dataclass(frozen=True, slots=True)
class Write:
    """INSERT, UPDATE or DELETE. `overwrites`: a column gets a value computed of itself."""

    kind: str
    table: str
    bounded: bool
    overwrites: bool = False
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """SELECT; FOR UPDATE takes a lock of its own."""

    tables: tuple[str, ...]
    lock: Lock = Lock.ACCESS_SHARE


@dataclass(frozen=True, slots=True)
class Truncate:
    """TRUNCATE."""

    tables: tuple[str, ...]
    cascade: bool


@dataclass(frozen=True, slots=True)
class LockTable:
    """LOCK TABLE."""

    tables: tuple[str, ...]
    lock: Lock


@dataclass(frozen=True, slots=True)
class Rewrite:
    """VACUUM FULL and CLUSTER; without `full` a VACUUM or ANALYZE."""

    command: str
    tables: tuple[str, ...]
    full: bool


@dataclass(frozen=True, slots=True)
class Transaction:
    """`word` is begin, commit, rollback, or another that changes nothing here."""

    word: str


@dataclass(frozen=True, slots=True)
class SetTimeout:
    """`milliseconds` is None for a RESET."""

    name: str
    milliseconds: float | None
    local: bool


@dataclass(frozen=True, slots=True)
class EnumValue:
    """ADD VALUE (`placed`: before or after another) or RENAME VALUE."""

    type: str
    rename: bool
    placed: bool


@dataclass(frozen=True, slots=True)
class DomainChange:
    """A domain with constraints is created, or one is given to a domain that there is."""

    name: str
    create: bool
    constrained: bool
    scans: bool


@dataclass(frozen=True, slots=True)
class Privilege:
    """Rights, policies, roles' options and functions' properties: what old code may do changes."""

    rule: str
    table: str = ""
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """COMMENT ON a table, or something of it."""

    table: str


@dataclass(frozen=True, slots=True)
class Opaque:
    """SQL that is put together at run time: nobody can read it beforehand."""

    language: str


@dataclass(frozen=True, slots=True)
class Create:
    """Another object comes into being: a function, a type, a sequence, a schema, an extension."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Other:
    """Changes nothing that anybody waits for."""

    tag: str


Operation = (
    AddColumn
    | DropColumn
    | AlterType
    | SetNotNull
    | DropNotNull
    | ChangeDefault
    | AddConstraint
    | ValidateConstraint
    | DropConstraint
    | AttachPartition
    | DetachPartition
    | AlterTable
    | Rename
    | SetSchema
    | CreateTable
    | Drop
    | CreateIndex
    | Reindex
    | CreateTrigger
    | CreateView
    | Refresh
    | Write
    | Read
    | Truncate
    | LockTable
    | Rewrite
    | Transaction
    | SetTimeout
    | EnumValue
    | DomainChange
    | Privilege
    | Comment
    | Opaque
    | Create
    | Other
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text as it was written, and what it does. `names` are all it defines."""

    text: str
    operations: tuple[Operation, ...]
    identifiers: tuple[str, ...] = ()
