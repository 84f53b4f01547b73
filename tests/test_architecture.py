"""Holds the house rules: who imports what, where the environment is read, how large files are, what is documented.

Every rule is a function from one source file to its complaints, so that each can be shown to complain.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent

HOUSE: dict[str, set[str]] = {
    "providers": set(),
    "ledger": set(),
    "dispatcher": {"providers", "ledger"},
    "receiver": {"providers", "ledger"},
    "postback": {"providers", "ledger", "dispatcher", "receiver"},
}
"""Each package, and those of ours that it may import."""

WINGS = ("dispatcher", "receiver", "postback")

LIBRARIES: dict[str, tuple[str, ...]] = {
    "starlette": ("receiver", "postback"),
    "uvicorn": ("postback",),
    "httpx2": ("dispatcher", "postback"),
    "httpx": (),
    "requests": (),
    "aiohttp": (),
    "httptools": ("receiver/connection.py", "postback/inbound.py"),
    "aiohappyeyeballs": ("receiver/connections.py",),
    "http": ("providers", *WINGS),
    "http.client": WINGS,
    "http.server": WINGS,
    "urllib.request": WINGS,
    "socket": WINGS,
    "asyncio": ("ledger", *WINGS),
    "anyio": ("ledger", *WINGS),
}
"""Modules that only some packages or files may import: HTTP and I/O stay where the design puts them."""

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
MAX_LINES = 300
SAY_NOTHING = {"utils", "util", "common", "helpers", "misc"}
MIGRATIONS = PurePosixPath("ledger/migrations")


@dataclass(frozen=True)
class Source:
    """One file: its path from the root of the repository, and its text."""

    path: PurePosixPath
    text: str

    @property
    def package(self) -> str:
        return self.path.parts[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def imports(self) -> set[str]:
        """Dotted names. `from a import b` gives `a` and `a.b`, since b may be a module."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            match node:
                case ast.Import():
                    names.update(alias.name for alias in node.names)
                case ast.ImportFrom():
                    here = self.path.parts[: len(self.path.parts) - node.level] if node.level else ()
                    module = ".".join([*here, *filter(None, [node.module])])
                    names.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
                case ast.Call(
                    func=ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"),
                    args=[ast.Constant(str() as name), *_],
                ):
                    names.add(name)
        return names

    def imports_from(self, module: str) -> bool:
        return any(name == module or name.startswith(f"{module}.") for name in self.imports)

    def lies_in(self, place: str) -> bool:
        return self.path.is_relative_to(place)


def packages_import_only_theirs(source: Source) -> Iterator[str]:
    for other in HOUSE.keys() - {source.package, *HOUSE[source.package]}:
        if source.imports_from(other):
            yield f"{source.package} imports {other}"


def libraries_stay_in_their_place(source: Source) -> Iterator[str]:
    for library, places in LIBRARIES.items():
        if source.imports_from(library) and not any(source.lies_in(place) for place in places):
            yield f"imports {library}, which belongs to {', '.join(places) or 'nobody'}"


def settings_alone_read_the_environment(source: Source) -> Iterator[str]:
    if source.lies_in("postback/settings.py"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
            yield f"line {node.lineno} uses {node.attr}"
    for name in ENVIRONMENT:
        if source.imports_from(f"os.{name}"):
            yield f"imports os.{name}"


def files_are_small(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > MAX_LINES:
        yield f"{lines} lines, more than {MAX_LINES}"


def names_say_something(source: Source) -> Iterator[str]:
    for name in SAY_NOTHING.intersection(source.path.with_suffix("").parts):
        yield f"{name} names nothing"


def public_things_are_documented(source: Source) -> Iterator[str]:
    """Modules, and the classes and functions at their top level. Alembic prescribes those of a migration."""
    if any(part.startswith("_") and part != "__init__.py" for part in source.path.parts):
        return
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield "the module has no docstring"
    if source.lies_in(str(MIGRATIONS)):
        return
    for node in source.tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            overload = any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)
            if not node.name.startswith("_") and not overload and not ast.get_docstring(node):
                yield f"line {node.lineno}: {node.name} has no docstring"


Rule = Callable[[Source], Iterator[str]]
RULES: list[Rule] = [
    packages_import_only_theirs,
    libraries_stay_in_their_place,
    settings_alone_read_the_environment,
    files_are_small,
    names_say_something,
    public_things_are_documented,
]


@pytest.fixture(scope="module")
def house() -> list[Source]:
    return [
        Source(PurePosixPath(path.relative_to(ROOT).as_posix()), path.read_text("utf-8"))
        for package in HOUSE
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule, house: list[Source]) -> None:
    complaints = [f"{source.path}: {complaint}" for source in house for complaint in rule(source)]
    assert not complaints, "\n".join(complaints)


def test_the_house_has_no_other_packages(house: list[Source]) -> None:
    top = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert top == HOUSE.keys() == {source.package for source in house}


DOCUMENTED = '"""A module."""\n'

BREAKS: dict[Rule, list[tuple[str, str, str]]] = {
    packages_import_only_theirs: [
        ("providers/flux.py", "import ledger", "imports ledger"),
        ("ledger/jobs.py", "from providers import protocol", "imports providers"),
        ("ledger/jobs.py", "importlib.import_module('receiver.app')", "imports receiver"),
        ("dispatcher/poller.py", "import receiver.app as app", "imports receiver"),
        ("receiver/app.py", "from dispatcher.pace import Pace", "imports dispatcher"),
        ("receiver/app.py", "def late():\n    import postback", "imports postback"),
    ],
    libraries_stay_in_their_place: [
        ("ledger/jobs.py", "from http import HTTPStatus", "imports http, which"),
        ("ledger/jobs.py", "from starlette.requests import Request", "imports starlette"),
        ("dispatcher/poller.py", "import starlette", "imports starlette"),
        ("receiver/app.py", "import httpx2 as httpx", "imports httpx2"),
        ("receiver/egress.py", "import aiohttp", "imports aiohttp"),
        ("receiver/forwarder.py", "import httptools", "imports httptools"),
        ("postback/demo.py", "import httpx", "belongs to nobody"),
        ("providers/flux.py", "from urllib import request", "imports urllib.request"),
    ],
    settings_alone_read_the_environment: [
        ("receiver/app.py", "x = os.environ['X']", "line 1 uses environ"),
        ("postback/serve.py", "x = os.getenv('X')", "line 1 uses getenv"),
        ("postback/serve.py", "from os import environ as e", "imports os.environ"),
    ],
    files_are_small: [("ledger/jobs.py", "x = 1\n" * (MAX_LINES + 1), "301 lines")],
    names_say_something: [
        ("postback/utils.py", "", "utils names nothing"),
        ("ledger/common/ids.py", "", "common names nothing"),
    ],
    public_things_are_documented: [
        ("ledger/jobs.py", "x = 1", "the module has no docstring"),
        ("ledger/jobs.py", f"{DOCUMENTED}class Job: ...", "Job has no docstring"),
        ("ledger/jobs.py", f"{DOCUMENTED}async def run(): ...", "run has no docstring"),
    ],
}

ALLOWED: dict[Rule, list[tuple[str, str]]] = {
    packages_import_only_theirs: [
        ("ledger/jobs.py", "import ledgerdemain, postbacks\nfrom ledger import ids"),
        ("receiver/wire/app.py", "from .. import dispatcher\nfrom . import postback\nimport providers, ledger"),
    ],
    libraries_stay_in_their_place: [
        ("receiver/connection.py", "import httptools"),
        ("dispatcher/poller.py", "import httpx2 as httpx"),
        ("providers/flux.py", "from http import HTTPStatus\nfrom urllib.parse import urlsplit"),
    ],
    settings_alone_read_the_environment: [("postback/settings.py", "from os import environ\nx = os.environ")],
    files_are_small: [("ledger/jobs.py", "x = 1\n" * MAX_LINES)],
    names_say_something: [("postback/uncommon.py", "")],
    public_things_are_documented: [
        ("ledger/__init__.py", ""),
        ("ledger/_rows.py", "def read(): ..."),
        ("ledger/jobs.py", f"{DOCUMENTED}def _run(): ..."),
        (f"{MIGRATIONS}/one.py", f"{DOCUMENTED}def upgrade(): ..."),
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_complains_where_it_should(rule: Rule) -> None:
    for path, text, complaint in BREAKS[rule]:
        complaints = list(rule(Source(PurePosixPath(path), text)))
        assert len(complaints) == 1, (path, text)
        assert complaint in complaints[0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_complains_nowhere_else(rule: Rule) -> None:
    for path, text in ALLOWED[rule]:
        assert list(rule(Source(PurePosixPath(path), text))) == [], (path, text)
