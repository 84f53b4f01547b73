import importlib.util
import os

import pytest

from .run import MISSING


@pytest.fixture(scope="session", autouse=True)
def atheris() -> None:
    """A machine without the fuzzer skips; CI may not."""
    if importlib.util.find_spec("atheris") is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
