from __future__ import annotations

from collections.abc import Iterator

import pytest
from metrics.scraped import Pages


@pytest.fixture
def server() -> Iterator[Pages]:
    pages = Pages()
    pages.route(blue=(0, 0, 0, 0), green=(0, 0, 0, 0))
    yield pages
    pages.close()
