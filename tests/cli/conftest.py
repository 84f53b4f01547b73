import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from postback.cli import run

from .stub import KEY, Stub, running


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Outcome]


@pytest.fixture(scope="session")
def served() -> Iterator[Stub]:
    stub = Stub()
    with running(stub):
        yield stub


@pytest.fixture
def stub(served: Stub) -> Stub:
    """The API; nothing is in it yet."""
    served.answers.clear()
    served.asked.clear()
    return served


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home, and no setting of the machine."""
    for name in list(os.environ):
        if name.startswith(("POSTBACK_", "DASHSCOPE_", "ACEDATA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("POSTBACK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def cli(stub: Stub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command line against the stub, with the right key."""
    monkeypatch.setenv("POSTBACK_URL", stub.url)
    monkeypatch.setenv("POSTBACK_API_KEY", KEY)

    def run_one(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(arguments)
        return Outcome(code, *capsys.readouterr())

    return run_one
