"""What the expressions of a statement mean: names, types, defaults, and what a check proves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from postgast import pg_query_pb2 as pg
from postgast import walk

from deployer.migrations.operations import DefaultKind, Type

if TYPE_CHECKING:
    from google.protobuf.message import Message

# Functions that give all rows the same value within a statement: PostgreSQL's catalogue says stable
# or immutable. Whoever's function it does not know is volatile, as CREATE FUNCTION takes it.
STEADY_FUNCTIONS = frozenset(
    {
        *("now", "transaction_timestamp", "statement_timestamp", "current_setting"),
        *("lower", "upper", "md5", "concat", "coalesce", "length", "abs", "round", "trim", "btrim"),
        *("date_trunc", "to_timestamp", "make_date", "make_interval", "timezone", "date_part"),
        *("to_jsonb", "to_json", "jsonb_build_object", "jsonb_build_array", "array_fill"),
        *("json_build_object", "json_build_array", "decode", "encode", "repeat", "uuid_nil"),
    }
)
SERIALS = {"serial": "int4", "bigserial": "int8", "smallserial": "int2"} | {
    "serial4": "int4",
    "serial8": "int8",
    "serial2": "int2",
}


def relation_name(relation: pg.RangeVar) -> str:
    """Return a table's name as `public` would be left out of it."""
    return qualified((relation.schemaname, relation.relname))


def qualified(parts: Iterable[str]) -> str:
    """Join the parts of a name; `public` goes without saying."""
    return ".".join(part for part in parts if part and part != "public")


def strings(nodes: Iterable[pg.Node]) -> tuple[str, ...]:
    """Return the words of a list of name parts."""
    return tuple(node.string.sval for node in nodes if node.HasField("string"))


def type_of(name: pg.TypeName) -> tuple[Type, bool]:
    """Return a column's type, and whether it is one of the serial pseudo-types."""
    bare = strings(name.names)[-1]
    modifiers = tuple(node.a_const.ival.ival for node in name.typmods if node.HasField("a_const"))
    array = "[]" * len(name.array_bounds)
    return Type(SERIALS.get(bare, bare) + array, modifiers), bare in SERIALS


def default_kind(expression: pg.Node) -> DefaultKind:
    """Return what it costs to add a column with the default: evaluated once, or a row."""
    calls = (node for _, node in walk(expression) if isinstance(node, pg.FuncCall))
    steady = all(strings(call.funcname)[-1] in STEADY_FUNCTIONS for call in calls)
    return DefaultKind.CONSTANT if steady else DefaultKind.VOLATILE


def columns_of(expression: Message) -> tuple[str, ...]:
    """Return the columns that an expression reads."""
    found = (
        strings(node.fields)[-1]
        for _, node in walk(expression)
        if isinstance(node, pg.ColumnRef) and strings(node.fields)
    )
    return tuple(dict.fromkeys(found))


def proven_not_null(expression: pg.Node) -> tuple[str, ...]:
    """Return the columns that a check holds not to be NULL: by itself, or as one part of an AND."""
    return tuple(_proven(expression))


def _proven(expression: pg.Node) -> Iterator[str]:
    if expression.HasField("null_test"):
        test = expression.null_test
        if test.nulltesttype == pg.IS_NOT_NULL and test.arg.HasField("column_ref"):
            yield strings(test.arg.column_ref.fields)[-1]
    elif expression.HasField("bool_expr") and expression.bool_expr.boolop == pg.AND_EXPR:
        for part in expression.bool_expr.args:
            yield from _proven(part)


def names_only(expression: pg.Node, column: str, type_: Type) -> bool:
    """Whether a USING clause is the column itself, bare or cast to the new type."""
    while expression.HasField("type_cast"):
        if type_of(expression.type_cast.type_name)[0] != type_:
            return False
        expression = expression.type_cast.arg
    return expression.HasField("column_ref") and columns_of(expression) == (column,)


def tables_in(message: Message) -> tuple[str, ...]:
    """Return every table that a query reads, without the names that WITH gives."""
    nodes = [node for _, node in walk(message)]
    ours = {node.ctename for node in nodes if isinstance(node, pg.CommonTableExpr)}
    found = (relation_name(node) for node in nodes if isinstance(node, pg.RangeVar))
    return tuple(name for name in dict.fromkeys(found) if name not in ours)
