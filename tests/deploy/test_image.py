"""The image, as far as it can be seen without building one: what its file copies is enough to install the program."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ledger.migration import HEAD

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
PACKAGES = ("providers", "ledger", "dispatcher", "receiver", "postback")
IDLE = shutil.ignore_patterns("__pycache__")

LOOK = """
import json, sys, providers, ledger, dispatcher, receiver, postback
print(json.dumps([sys.modules[name].__file__ for name in sys.argv[1:]]))
"""


def copied() -> list[str]:
    """What the first stage takes from the folder that it is built from."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these files and nothing else."""
    folder = tmp_path_factory.mktemp("context")
    for name in copied():
        source = ROOT / name
        shutil.copytree(source, folder / name, ignore=IDLE) if source.is_dir() else shutil.copy(source, folder)
    return folder


@pytest.fixture(scope="module")
def installed(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the program is once it was installed from there. What it needs of others comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", f"--target={folder}", str(context)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, *command: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(installed), "PYTHONPATH": str(installed)}
    done = subprocess.run(command, cwd=installed, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_what_is_copied_reaches_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert "*" in lines, "only what is named"
    assert {name for name in copied() if not any(fnmatch(name, pattern) for pattern in let_in)} == set()
    assert set(copied()) == set(let_in), "and nothing is let in that is not copied"


def test_everything_is_in_it(installed: Path) -> None:
    assert files(installed) == files(ROOT)
    modules = json.loads(run(installed, sys.executable, "-c", LOOK, *PACKAGES))
    assert [Path(found).parent.parent for found in modules] == [installed] * len(PACKAGES)


def test_it_runs(installed: Path, tmp_path: Path) -> None:
    program = str(installed / "bin" / "postback")
    assert re.search(r"\d+\.\d+\.\d+", run(installed, program, "--version"))
    database = f"sqlite:///{tmp_path}/postback.sqlite3"
    run(installed, program, "migrate", "--database-url", database)
    with closing(sqlite3.connect(tmp_path / "postback.sqlite3")) as migrated:
        assert migrated.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]


def test_it_runs_as_nobody_in_particular() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user.isdigit(), "by number, so that Kubernetes can see that it is not root"
    assert int(user) > 0
    assert re.search(rf"useradd [^\n]*--uid {user} ", last)
    assert f"runAsUser: {user}\n" in (ROOT / "deploy/kubernetes.yaml").read_text()
