"""The rules of the lint: what is wrong with a statement, and what to write instead.

`rows` are the numbers of the union of sixty operations that ten tools warn of, which the corpus
goes through one by one. `squawk` are the findings of that linter which are taken at their word;
the other rules are decided in `checks`, because they need the schema, the transaction, or the rest
of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Harm(StrEnum):
    """Who suffers. A contract revision may break old code: none is left that could notice."""

    LOCK = "waits"  # readers or writers stand still
    OLD_CODE = "old code"  # the release before fails, or loses what it relies on
    DATA = "data"  # something is gone that no downgrade brings back
    RUN = "the run"  # the migration stops half-way, or can't be repeated
    LATER = "later"  # nothing now, a rewrite or a slow query one day


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, why it is there, and what to write instead."""

    name: str
    rows: tuple[int, ...]
    harm: Harm
    why: str
    instead: str
    squawk: tuple[str, ...] = ()


_LOCK, _OLD, _DATA, _RUN, _LATER = Harm


RULES: tuple[Rule, ...] = (
    Rule(
        "drop-column",
        (1,),
        _OLD,
        "Old code still names the column: an ORM selects every one it knows.",
        "drop_column in a contract revision, after a release whose code no longer reads it",
        ("ban-drop-column",),
    ),
    Rule(
        "drop-table",
        (2,),
        _OLD,
        "Old code still uses the table; with foreign keys the drop locks their parents too.",
        "drop_table in a contract revision, after a release whose code no longer uses it",
        ("ban-drop-table",),
    ),
    Rule(
        "drop-container",
        (3,),
        _DATA,
        "A schema or a database goes with everything in it.",
        "drop_table a table at a time, in contract revisions; the empty schema last, by hand",
        ("ban-drop-schema", "ban-drop-database"),
    ),
    Rule(
        "drop-object",
        (4,),
        _OLD,
        "Old code still calls the view, function, type, sequence, extension or policy.",
        "a contract revision, after a release whose code no longer calls it",
        (
            "ban-drop-view",
            "ban-drop-function",
            "ban-drop-type",
            "ban-drop-sequence",
            "ban-drop-extension",
            "ban-drop-policy",
            "ban-drop-domain",
        ),
    ),
    Rule(
        "drop-constraint",
        (5,),
        _OLD,
        "Old code relies on what the constraint holds; a foreign key's drop locks two tables.",
        "drop_constraint in a contract revision, after a release whose code holds it itself",
    ),
    Rule(
        "drop-not-null",
        (6,),
        _OLD,
        "Old code meets NULL where it never did.",
        "release code that reads NULL first, then drop it in a contract revision",
        ("ban-drop-not-null",),
    ),
    Rule(
        "change-default",
        (7,),
        _OLD,
        "Old code leaves the column out and relies on the default there was.",
        "write the value in the code first; change the default in a contract revision",
        ("ban-set-default", "ban-drop-default"),
    ),
    Rule(
        "rename-column",
        (8,),
        _OLD,
        "Old code needs the old name while the new code needs the new one.",
        "rename_column: a second column, kept equal by triggers until the contract",
        ("renaming-column",),
    ),
    Rule(
        "rename-table",
        (9,),
        _OLD,
        "Old code needs the old name while the new code needs the new one.",
        "rename_table: a view keeps the old name, made in the same transaction",
    ),
    Rule(
        "move-schema",
        (10,),
        _OLD,
        "Old code no longer finds the tables by its search path.",
        "rename_table: a view keeps the old name, made in the same transaction",
        ("ban-set-schema",),
    ),
    Rule(
        "rename-object",
        (11, 12),
        _OLD,
        "Old code writes the old label, or names the old index, constraint or object.",
        "add the new one, move the code and the rows to it, drop the old one in a contract",
        ("renaming-object",),
    ),
    Rule(
        "add-column-required",
        (13,),
        _OLD,
        "It fails on the first row there is, and old code's INSERT leaves the column out.",
        "add_column without NOT NULL (or with a constant default), backfill, set_not_null",
        ("adding-required-field",),
    ),
    Rule(
        "add-column-volatile-default",
        (14,),
        _LOCK,
        "The default differs by row, so the table is rewritten while all stand still.",
        "add_column without it, then a backfill; set the default for new rows beside it",
    ),
    Rule(
        "add-column-serial",
        (16,),
        _LOCK,
        "Every row gets a number, so the table is rewritten while all stand still.",
        "add_column as bigint, then a backfill from a sequence",
    ),
    Rule(
        "add-column-generated",
        (17,),
        _LOCK,
        "Every row gets a value, so the table is rewritten while all stand still.",
        "add_column as a plain column, a trigger that fills it, then a backfill",
    ),
    Rule(
        "add-column-domain",
        (52,),
        _LOCK,
        "A domain with a constraint is checked row by row: the table is rewritten.",
        "add_column with the bare type, then add_check",
    ),
    Rule(
        "json-column",
        (18,),
        _OLD,
        "json has no equality: SELECT DISTINCT over the table fails from then on.",
        "add_column as jsonb",
    ),
    Rule(
        "add-column-unique",
        (19,),
        _LOCK,
        "The index is built while nobody reads or writes.",
        "add_column, then add_unique",
    ),
    Rule(
        "add-column-references",
        (20,),
        _LOCK,
        "Both tables are locked together.",
        "add_column, then add_foreign_key",
    ),
    Rule(
        "add-column-check",
        (21,),
        _LOCK,
        "Every row is checked while nobody reads or writes.",
        "add_column, then add_check",
    ),
    Rule(
        "change-type",
        (22,),
        _LOCK,
        "The values have to change, so the table is rewritten while all stand still.",
        "change_type: a second column, kept equal by triggers, then a backfill; "
        "if it only widens, show the lint the tables: --schema FILE",
    ),
    Rule(
        "change-type-checked",
        (24,),
        _LOCK,
        "Constraints on the column are checked anew, row by row, while all stand still.",
        "drop the constraint, change the type, add_check; or change_type",
    ),
    Rule(
        "set-not-null",
        (25,),
        _LOCK,
        "Every row is read while nobody reads or writes.",
        "set_not_null: a check that is validated beside the traffic proves it first",
    ),
    Rule(
        "add-foreign-key",
        (26,),
        _LOCK,
        "Both tables take no writes while every row is looked up.",
        "add_foreign_key: NOT VALID first, then VALIDATE beside the traffic",
    ),
    Rule(
        "add-check",
        (27,),
        _LOCK,
        "Every row is checked while nobody reads or writes.",
        "add_check: NOT VALID first, then VALIDATE beside the traffic",
    ),
    Rule(
        "validate-with-add",
        (28,),
        _LOCK,
        "VALIDATE in the transaction of NOT VALID scans under the lock of the latter.",
        "add_check or add_foreign_key: each of both in a transaction of its own",
    ),
    Rule(
        "add-unique",
        (29,),
        _LOCK,
        "The index is built while nobody reads or writes.",
        "add_unique: the index concurrently, then USING INDEX",
    ),
    Rule(
        "add-primary-key",
        (30,),
        _LOCK,
        "The index is built, and every row read for NULL, while nobody reads or writes.",
        "set_not_null, then replace_primary_key, which builds its index concurrently",
    ),
    Rule(
        "add-exclude",
        (31,),
        _LOCK,
        "The index is built while nobody reads or writes, and NOT VALID does not exist for it.",
        "a new table with the constraint, dual writes, a backfill, then rename_table",
    ),
    Rule(
        "create-index",
        (32,),
        _LOCK,
        "Nobody writes while the index is built.",
        "create_index: concurrently, an INVALID leftover dropped first",
    ),
    Rule(
        "concurrently-in-transaction",
        (33,),
        _RUN,
        "CONCURRENTLY is refused inside a transaction.",
        "create_index or drop_index, which step out of the revision's transaction",
        ("ban-concurrent-index-creation-in-transaction",),
    ),
    Rule(
        "concurrently-under-timeout",
        (34,),
        _RUN,
        "Any older snapshot outlasts the time-out, and what is left is an INVALID index.",
        "create_index or drop_index: no time-out for this class of lock",
    ),
    Rule(
        "concurrently-if-not-exists",
        (34, 55),
        _RUN,
        "IF NOT EXISTS accepts the INVALID index that a failed run left.",
        "create_index: an INVALID leftover is found and dropped first",
    ),
    Rule(
        "drop-index",
        (35,),
        _LOCK,
        "Nobody reads or writes the table meanwhile, and all wait behind a long query.",
        "drop_index: concurrently",
    ),
    Rule(
        "reindex",
        (35,),
        _LOCK,
        "Nobody writes while the index is built.",
        "REINDEX ... CONCURRENTLY, outside of a transaction and without a time-out",
        ("require-concurrent-reindex",),
    ),
    Rule(
        "index-gap",
        (36,),
        _LOCK,
        "Between the drop and the new index every query that needs one is slow.",
        "create_index under a new name first, then drop_index",
    ),
    Rule(
        "several-foreign-keys",
        (37,),
        _LOCK,
        "Each locks its parent against writes, all of them at once.",
        "add_foreign_key, one a revision",
    ),
    Rule(
        "create-table-references",
        (37,),
        _LOCK,
        "The new table's foreign key locks a busy parent against writes.",
        "create the table without it, then add_foreign_key",
    ),
    Rule(
        "foreign-key-unindexed",
        (38,),
        _LATER,
        "Every DELETE of a parent reads the whole child.",
        "create_index on its columns first, then add_foreign_key",
    ),
    Rule(
        "foreign-key-types",
        (38,),
        _LATER,
        "The types differ, so every look-up converts.",
        "give the column the parent's type: change_type, then add_foreign_key",
    ),
    Rule(
        "small-key",
        (39,),
        _LATER,
        "A 32-bit key runs out, and its widening rewrites the table.",
        "bigint GENERATED BY DEFAULT AS IDENTITY",
    ),
    Rule(
        "short-type",
        (39,),
        _LATER,
        "char pads, timestamp forgets its zone; changing that later rewrites the table.",
        "text, with add_check for its length; timestamptz",
        ("ban-char-field", "prefer-timestamp-tz"),
    ),
    Rule(
        "truncate",
        (40,),
        _DATA,
        "All rows go at once, under a lock that stops all; CASCADE takes other tables along.",
        "batches of DELETE by key; drop_table when the table itself may go",
        ("ban-truncate-cascade",),
    ),
    Rule(
        "rewrite-table",
        (41,),
        _LOCK,
        "The table is rewritten while all stand still.",
        "pg_repack, outside of a migration",
    ),
    Rule(
        "move-table",
        (42,),
        _LOCK,
        "The table is rewritten while all stand still.",
        "a new table where it should be, dual writes, a backfill, then rename_table",
    ),
    Rule(
        "attach-partition",
        (43,),
        _LOCK,
        "Every row of the partition is read while nobody uses it.",
        "add_check with the partition's bounds first; then attaching reads nothing",
    ),
    Rule(
        "detach-partition",
        (43,),
        _LOCK,
        "Nobody reads or writes the whole table meanwhile.",
        "DETACH PARTITION ... CONCURRENTLY, outside of a transaction, in a contract revision",
        ("require-concurrent-partition-detach",),
    ),
    Rule(
        "create-trigger",
        (44,),
        _LOCK,
        "It waits for every writer, and all writers wait behind it.",
        "rename_column, change_type, split_column or merge_columns make theirs under the guard; "
        "by hand, SET lock_timeout = '50ms' first",
    ),
    Rule(
        "drop-trigger",
        (44,),
        _OLD,
        "What it kept equal drifts apart.",
        "end_dual_write in a contract revision takes away what a helper made",
        ("ban-drop-trigger",),
    ),
    Rule(
        "switch-trigger",
        (44,),
        _OLD,
        "What it kept equal drifts apart meanwhile.",
        "leave it on; a backfill tells its own writes by application_name",
        ("ban-disable-trigger",),
    ),
    Rule(
        "refresh-view",
        (45,),
        _LOCK,
        "Nobody reads the view meanwhile.",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY, with create_index(unique=True) on it first",
    ),
    Rule(
        "lock-table",
        (46,),
        _LOCK,
        "All stand still for as long as the transaction lasts.",
        "no lock: the helpers' statements take what they need under the guard",
    ),
    Rule(
        "write-all-rows",
        (47,),
        _LOCK,
        "One transaction over all rows: writers of any of them wait, and the table bloats.",
        "a backfill: batches by key, throttled, taken up again after a kill",
    ),
    Rule(
        "backfill-with-ddl",
        (48,),
        _LOCK,
        "The strong lock of the schema change is held until all rows are written.",
        "the schema change in one revision, a backfill after it",
    ),
    Rule(
        "several-tables",
        (49,),
        _LOCK,
        "One transaction waits for a second table while it holds the first: the waits add up.",
        "one table a revision; the helpers commit in between",
    ),
    Rule(
        "repeated-scans",
        (50,),
        _LOCK,
        "The table is read or rewritten once a statement.",
        "one ALTER TABLE with both; better, change_type",
    ),
    Rule(
        "enum-order",
        (51,),
        _LATER,
        "A label can't be moved or removed; without BEFORE or AFTER it sorts last.",
        "ADD VALUE ... BEFORE or AFTER; better, text with add_check",
        ("require-enum-value-ordering",),
    ),
    Rule(
        "domain-constraint",
        (52,),
        _LOCK,
        "All tables that use the domain are read while they take no writes.",
        "the bare type, and add_check on each column",
        ("ban-create-domain-with-constraint", "ban-alter-domain-with-add-constraint"),
    ),
    Rule(
        "no-timeout",
        (53,),
        _LOCK,
        "With lock_timeout off, all who come later queue behind the wait for this lock.",
        "leave the guard of platform_kit.migrations as it is: 50 ms, then again",
    ),
    Rule(
        "transaction-unbalanced",
        (54,),
        _RUN,
        "A BEGIN too many or a COMMIT too few: nothing is committed, or half of it.",
        "no BEGIN and COMMIT: every revision has its transaction",
        ("transaction-nesting", "ban-uncommitted-transaction"),
    ),
    Rule(
        "half-applied",
        (55,),
        _RUN,
        "If what follows outside of a transaction fails, a second run fails here.",
        "the helpers look at what is there first; by hand, IF NOT EXISTS",
    ),
    Rule(
        "opaque",
        (56,),
        _RUN,
        "SQL that is put together at run time can't be read beforehand; the worst is assumed.",
        "write the statements out, or use a helper",
    ),
    Rule(
        "query-rule",
        (57,),
        _OLD,
        "Old code's statements turn into others.",
        "a trigger in an expand revision, dropped in the contract",
    ),
    Rule(
        "rights",
        (57,),
        _OLD,
        "Old code may no longer see, or write, what it did.",
        "release code that needs less first, then a contract revision",
        (
            "ban-revoke",
            "ban-create-policy",
            "ban-alter-policy-condition",
            "ban-alter-policy-roles",
            "ban-alter-row-level-security",
            "ban-replica-identity",
            "ban-alter-role-options",
        ),
    ),
    Rule(
        "alter-object",
        (57,),
        _OLD,
        "Old code relies on what the sequence, view, function or setting was.",
        "a new object beside it, and the old one dropped in a contract revision",
        (
            "ban-alter-sequence-values",
            "ban-alter-view-options",
            "ban-alter-function-options",
            "ban-alter-database-options",
            "ban-alter-system-options",
            "ban-alter-extension",
            "ban-replace-view-function",
            "ban-alter-identity",
            "ban-alter-generated-expression",
            "ban-drop-generated-expression",
        ),
    ),
    Rule(
        "overwrite",
        (58,),
        _DATA,
        "The old values are gone: no downgrade brings them back.",
        "add_column for the new values, a backfill, drop_column in the contract",
    ),
    Rule(
        "force-create",
        (59,),
        _DATA,
        "The table is dropped first if it is there.",
        "create the table; a leftover is somebody's decision",
    ),
    Rule(
        "wide-index",
        (59,),
        _LATER,
        "More than three columns hardly narrow a search, and every write pays for them.",
        "create_index on the columns that select",
    ),
    Rule(
        "hash-index",
        (59,),
        _LATER,
        "It serves equality only, and can be neither unique nor sorted.",
        "create_index, a btree",
    ),
    Rule(
        "identifier-too-long",
        (59,),
        _RUN,
        "PostgreSQL cuts names after 63 bytes, and two that begin alike collide.",
        "a shorter name",
        ("identifier-too-long",),
    ),
    Rule(
        "copy-and-move",
        (60,),
        _DATA,
        "The batch mode made for SQLite: what is written during the copy is lost.",
        "the helper for the change itself; PostgreSQL alters a table in place",
    ),
)
BY_NAME = {rule.name: rule for rule in RULES}
BY_SQUAWK = {finding: rule for rule in RULES for finding in rule.squawk}
