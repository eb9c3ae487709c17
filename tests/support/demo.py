"""The demo model for tests, served inside the test's own process."""

from collections.abc import AsyncIterator

import pytest

from jelmore_local.demo.serve import serve


@pytest.fixture
async def demo_url() -> AsyncIterator[str]:
    """The base URL of a demo model of the test's own."""
    async with serve() as url:
        yield url
