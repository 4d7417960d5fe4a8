"""Stock, as product keeps it: what things cost, and reservations under an order's id.

All calls can be repeated; the kit does so with reads only, since what fails to be reserved or released is
turned around, or left to the sweeper. An answer that is none of product's own (the router's 404, a proxy's
HTML) counts as no answer: nothing is concluded from it.

Problem
    ProductUnavailable   no usable answer; whether product did anything is not known
    ProductMissing       product refused: it has no such product
    OutOfStock           product refused: it has fewer than wanted
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from order.orders import Item, OrderId, ProductId
from platform_kit import Problem, ServiceClient, ServiceUnreachable, logger

if TYPE_CHECKING:
    from httpx import Response  # the kit imports it only when a client is made

log = logger(__name__)


class ProductUnavailable(Problem):
    """Product gave no usable answer."""

    def __init__(self, *, retry_after_seconds: int = 1) -> None:
        super().__init__(
            503,
            "product_unavailable",
            "The stock cannot be asked now; nothing was changed for good. Try again.",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class ProductMissing(Problem):
    """There is no such product."""

    def __init__(self, product_id: ProductId) -> None:
        super().__init__(
            404,
            "product_missing",
            f"There is no product with the id {product_id}.",
            product_id=product_id,
        )


class OutOfStock(Problem):
    """There are fewer of a product than wanted."""

    def __init__(self, product_id: ProductId) -> None:
        super().__init__(
            409,
            "out_of_stock",
            f"There are not as many left of product {product_id}.",
            product_id=product_id,
        )


class _Priced(BaseModel):
    # As exact as the column that keeps it.
    price: Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class _Refusal(BaseModel):
    code: str
    product_id: ProductId


class Stock:
    """Product's stock. Safe to share among threads."""

    def __init__(self, product: ServiceClient) -> None:
        self._product = product

    def price(self, product_id: ProductId) -> Decimal:
        """Return what one costs now; raise `ProductMissing` or `ProductUnavailable`."""
        answer = self._ask("GET", f"products/{product_id}")
        if answer.status_code != 200:
            raise _refused(answer)
        try:
            return _Priced.model_validate_json(answer.content).price
        except ValidationError as error:
            raise _unusable(answer) from error

    def reserve(self, order_id: OrderId, items: Iterable[Item]) -> None:
        """Take the items for the order; raise one of this module's problems if they were not."""
        wanted = [{"product_id": item.product_id, "quantity": item.quantity} for item in items]
        answer = self._ask("PUT", f"reservations/{order_id}", json={"items": wanted})
        if answer.status_code not in {200, 201}:
            raise _refused(answer)

    def release(self, order_id: OrderId) -> None:
        """Give back what the order holds, and refuse it for ever after; raise `ProductUnavailable`."""
        answer = self._ask("DELETE", f"reservations/{order_id}")
        if answer.status_code != 204:
            raise _unusable(answer)

    def _ask(self, method: str, path: str, *, json: object = None) -> "Response":
        try:
            return self._product.request(method, path, json=json)
        except ServiceUnreachable as error:
            log.warning("product_not_reached", method=method, path=path, cause=str(error))
            raise ProductUnavailable(retry_after_seconds=error.retry_after_seconds) from error


def _refused(answer: "Response") -> Problem:
    try:
        refusal = _Refusal.model_validate_json(answer.content)
    except ValidationError:
        return _unusable(answer)
    match answer.status_code, refusal.code:
        case 404, "product_missing":
            return ProductMissing(refusal.product_id)
        case 409, "out_of_stock":
            return OutOfStock(refusal.product_id)
        case _:
            return _unusable(answer)


def _unusable(answer: "Response") -> ProductUnavailable:
    log.warning(
        "product_answer_unusable",
        method=answer.request.method,
        path=answer.request.url.path,
        status=answer.status_code,
    )
    return ProductUnavailable()
