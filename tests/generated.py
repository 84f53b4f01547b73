"""The parts of the documentation that are written from the code: `scripts/docs` writes them, a test compares them.

A part stands between `<!-- NAME: written by scripts/docs -->` and `<!-- end -->`; `PARTS` says how each is made.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import shapes
import typer.main

from ledger import outbox
from ledger.events import EVENTS
from ledger.lifecycle import ARTIFACT, DELIVERY, JOB, State
from postback.api import examples
from postback.api.calls import CALLS, Call
from postback.cli import app
from postback.settings import FROM_FILES
from postback.simulator import script
from providers import PROVIDERS, acedata_services, dashscope_models
from receiver.problems import KINDS

ROOT = Path(__file__).parent.parent
_PART = re.compile(r"(<!-- (?P<name>[\w ./-]+): written by scripts/docs -->\n).*?(<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """A document with its generated parts as the code has them now. Raises `KeyError` for a part nobody makes."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part['name']]()}\n\n{part[3]}", text)


def parts_of(text: str) -> list[str]:
    """The names of a document's generated parts."""
    return [part["name"] for part in _PART.finditer(text)]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(*words: str) -> str:
    """Words as code, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def commands(group: Any = None, *before: str) -> Iterator[tuple[str, Any]]:
    """Every command of the command line: what is typed after `postback`, and Click's command."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join([*before, name]), command


def _states(machine: dict[str, State]) -> str:
    rows = ((code(name), state.means, state.moved_by, code(*state.to) or "–") for name, state in machine.items())
    return table(["State", "means", "moved on by", "to"], rows)


def _diagram(machine: dict[str, State]) -> str:
    steps = [f"{name} --> {to}" for name, state in machine.items() for to in state.to]
    ends = [f"{name} --> [*]" for name, state in machine.items() if state.final]
    lines = "\n".join(f"    {line}" for line in [f"[*] --> {next(iter(machine))}", *steps, *ends])
    return f"```mermaid\nstateDiagram-v2\n{lines}\n```"


def _call(call: Call) -> list[str]:
    queries = [query.name for query in call.queries] + (["limit", "cursor"] if call.paged else [])
    says = f"{call.says} {'Filters: ' + code(*queries) + '.' if queries else ''}".strip()
    scope = "–" if call.open else call.scope
    return [f"`{call.method} {call.path}`", says, scope, str(call.status), ", ".join(map(str, call.problems)) or "–"]


def _command(line: str, command: Any) -> list[str]:
    arguments = [f" {one.metavar or one.name.upper()}" for one in command.params if one.param_type_name == "argument"]
    options = [one.opts[0] for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]
    return [f"`postback {line}{''.join(arguments)}`", command.get_short_help_str(200), code(*options) or "–"]


def _parameters(provider: str) -> str:
    return table(
        ["Field", "in", "type", "models", "says"],
        (
            [f"`{one.name}`", one.place, one.kind.value, code(*one.models).replace("`*`", "all"), one.says]
            for one in PROVIDERS[provider].parameters
        ),
    )


def _event(event: str) -> str:
    """A notification as it is sent, but for line breaks and spaces."""
    data = {"subscriber_id": f"sub_{'0' * 26}"}
    if event != "postback.ping":
        data = examples.data_of(event, _SHOWN_AT, "https://postback.example.com/artifacts/{}/…".format)
    sent = json.loads(outbox.body(event, _SHOWN_AT, data))
    return f"```json\n{json.dumps(sent, ensure_ascii=False, indent=2)}\n```"


def _program(path: Path) -> str:
    return f"```{_LANGUAGES[path.suffix]}\n{path.read_text('utf-8').rstrip()}\n```"


_SHOWN_AT = 1_769_860_802_281
_LANGUAGES = {".py": "python", ".js": "js", ".conf": "nginx", ".yml": "yaml", ".jsonl": "jsonl", "": "caddyfile"}
_PROGRAMS = (
    *sorted((ROOT / "examples").glob("receiving/*.py")),
    *sorted((ROOT / "examples").glob("receiving/express/*.js")),
    *sorted(path for path in (ROOT / "examples").glob("proxy/*") if path.suffix in _LANGUAGES),
    ROOT / "examples/submit_and_forget.py",
    ROOT / "examples/batch/jobs.jsonl",
)
"""The files of `examples/` that documents show."""

PARTS: dict[str, Callable[[], str]] = {
    "job states": lambda: _states(JOB),
    "job diagram": lambda: _diagram(JOB),
    "delivery states": lambda: _states(DELIVERY),
    "delivery diagram": lambda: _diagram(DELIVERY),
    "artifact states": lambda: _states(ARTIFACT),
    "artifact diagram": lambda: _diagram(ARTIFACT),
    "secrets from files": lambda: "\n".join(f"- `{variable}`" for variable in FROM_FILES),
    "calls": lambda: table(["Call", "does", "scope", "answers", "problems"], map(_call, CALLS)),
    "problems": lambda: table(
        ["Type", "status", "title"],
        ([f"`urn:postback:problem:{name}`", str(kind.status), kind.title] for name, kind in KINDS.items()),
    ),
    "shapes": shapes.written,
    "commands": lambda: table(["Command", "does", "options"], (_command(*one) for one in commands())),
    "words": lambda: table(["Word", "does"], ([f"`{word.example}`", word.does] for word in script.WORDS)),
    "simulated models": lambda: table(
        ["Model", "same as a prompt with"],
        ([f"`{name}`", code(*filter(None, [words])) or "no word"] for name, words in script.MODELS.items()),
    ),
    "dashscope models": lambda: table(
        ["Models", "submitted to `/services/…`"],
        ([code(*row.models), f"`{row.path}`"] for row in dashscope_models.SERVICES),
    ),
    "dashscope fields": lambda: _parameters("dashscope"),
    "acedata models": lambda: table(
        ["Models", "submitted to", "asked about at"],
        ([code(*row.models), f"`{row.images}`", f"`{row.tasks}`"] for row in acedata_services.SERVICES),
    ),
    "acedata fields": lambda: _parameters("acedata"),
    **{f"event {event}": partial(_event, event) for event in EVENTS},
    **{path.relative_to(ROOT).as_posix(): partial(_program, path) for path in _PROGRAMS},
}


def documents() -> list[Path]:
    """README.md, those of the examples, and everything in docs/."""
    return [ROOT / "README.md", *sorted(ROOT.glob("examples/**/README.md")), *sorted(ROOT.glob("docs/**/*.md"))]


if __name__ == "__main__":
    for path in documents():
        path.write_text(written(path.read_text("utf-8")), "utf-8")
