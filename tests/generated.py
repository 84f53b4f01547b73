"""The parts of the documentation that are written from the code: `scripts/docs` writes them, a test compares them.

A part stands between `<!-- NAME: written by scripts/docs -->` and `<!-- end -->`; `PARTS` says how each is made.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer.main

from ledger.lifecycle import ARTIFACT, DELIVERY, JOB, State
from postback.api.calls import CALLS, Call
from postback.cli import app
from postback.settings import FROM_FILES
from postback.simulator import script
from providers import PROVIDERS, acedata_services, dashscope_models
from receiver.problems import KINDS

DOCS = Path(__file__).parent.parent / "docs"
_PART = re.compile(r"(<!-- (?P<name>[a-z ]+): written by scripts/docs -->\n).*?(<!-- end -->)", re.DOTALL)


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
    return [f"`{call.method} {call.path}`", says, str(call.status), ", ".join(map(str, call.problems)) or "–"]


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


PARTS: dict[str, Callable[[], str]] = {
    "job states": lambda: _states(JOB),
    "job diagram": lambda: _diagram(JOB),
    "delivery states": lambda: _states(DELIVERY),
    "delivery diagram": lambda: _diagram(DELIVERY),
    "artifact states": lambda: _states(ARTIFACT),
    "secrets from files": lambda: "\n".join(f"- `{variable}`" for variable in FROM_FILES),
    "calls": lambda: table(["Call", "does", "answers", "problems"], map(_call, CALLS)),
    "problems": lambda: table(
        ["Type", "status", "title"],
        ([f"`urn:postback:problem:{name}`", str(kind.status), kind.title] for name, kind in KINDS.items()),
    ),
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
}


if __name__ == "__main__":
    for path in sorted(DOCS.glob("*.md")):
        path.write_text(written(path.read_text("utf-8")), "utf-8")
