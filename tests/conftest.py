"""Every module in tests/support is a pytest plugin: its fixtures are there for all tests, found by name."""

from pathlib import Path

import pytest

# Before any of them is imported, since they import each other.
pytest.register_assert_rewrite("tests.support")

_SUPPORT = Path(__file__).parent / "support"

pytest_plugins = [
    f"tests.support.{module.stem}" for module in sorted(_SUPPORT.glob("*.py")) if module.stem != "__init__"
]
