"""Every module in tests/support is a pytest plugin: its fixtures are there for all tests, found by name."""

from pathlib import Path

import pytest
from hypothesis import settings

# Before any of them is imported, since they import each other.
pytest.register_assert_rewrite("tests.support")

_SUPPORT = Path(__file__).parent / "support"

pytest_plugins = [
    f"tests.support.{module.stem}" for module in sorted(_SUPPORT.glob("*.py")) if module.stem != "__init__"
]

# On top of hypothesis' own choice (in CI: the same examples every time). A slow moment of the machine is no failure.
settings.register_profile("jelmore", parent=settings(), deadline=None)
settings.load_profile("jelmore")
