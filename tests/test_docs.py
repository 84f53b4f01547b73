"""Holds the documentation to the code: what it lists is what there is, and what it shows works."""

import ast
import json
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import generated
import pytest
import typer.main

from ledger.callbacks import VERDICTS
from ledger.events import DEFAULT_EVENTS, EVENTS
from postback import settings
from postback.api import models
from postback.api.openapi import describe
from postback.cli import app
from postback.cli.errors import ExitCode
from postback.house import ROLES
from postback.settings import FROM_FILES, Settings
from providers.protocol import Account, Answer, JobStatus, Order, Provider, Reading, Refusal

ROOT = Path(__file__).parent.parent
DOCUMENTS = {path.relative_to(ROOT).as_posix(): path for path in generated.documents()}
TEXTS = {name: path.read_text("utf-8") for name, path in DOCUMENTS.items()}
PACKAGES = ("providers", "ledger", "dispatcher", "receiver", "postback")


def fences(language: str, *names: str) -> list[str]:
    """The code blocks of that language, in all documents or in some."""
    block = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [code for name in names or TEXTS for code in block.findall(TEXTS[name])]


def rows(name: str, heading: str) -> dict[str, list[str]]:
    """The table of a document whose first column has that heading: the other cells by the first, without backticks."""
    lines = iter(TEXTS[name].splitlines())
    assert any(line.startswith(f"| {heading} |") for line in lines), f"{name} has no table of {heading}"
    found = {}
    for line in lines:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        found[first.strip("`")] = others
    found.pop("---")
    return found


def links(name: str) -> list[str]:
    """Where a document's relative links lead, as they are written."""
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]) if "://" not in link]


@pytest.mark.parametrize("name", TEXTS)
def test_generated_parts_are_up_to_date(name: str) -> None:
    assert generated.written(TEXTS[name]) == TEXTS[name], f"{name} is behind the code: run scripts/docs"


def test_every_generated_part_stands_in_a_document() -> None:
    assert {part for text in TEXTS.values() for part in generated.parts_of(text)} == generated.PARTS.keys()


@pytest.mark.parametrize("name", TEXTS)
def test_relative_links_lead_somewhere(name: str) -> None:
    for link in links(name):
        path, _, anchor = link.partition("#")
        target = (DOCUMENTS[name].parent / path).resolve() if path else DOCUMENTS[name]
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, link


def test_sections_that_the_program_names_exist() -> None:
    named = [
        name
        for path in (ROOT / "postback").rglob("*.py")
        for name in re.findall(r'README\.md, "(.+?)"', path.read_text("utf-8"))
    ]
    assert named
    assert [name for name in named if not re.search(rf"^#+ {re.escape(name)}$", TEXTS["README.md"], re.MULTILINE)] == []


def test_documents_that_the_program_names_exist() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    named = {name for path in files for name in re.findall(r"(?<![\w/])docs/[\w/-]+\.md", path.read_text("utf-8"))}
    assert named
    assert named <= TEXTS.keys()


def test_every_document_is_in_the_index() -> None:
    folder = DOCUMENTS["docs/README.md"].parent
    linked = {(folder / link.partition("#")[0]).resolve() for link in links("docs/README.md")}
    unlinked = [name for name, path in DOCUMENTS.items() if path not in {*linked, folder / "README.md"}]
    assert unlinked == ["README.md"], "link them in docs/README.md"
    assert "docs/README.md" in links("README.md")


def test_programs_that_a_guide_shows_are_those_that_are_tested() -> None:
    guides = {name: text for name, text in TEXTS.items() if name.startswith("docs/guides/")}
    whole = re.compile(r"^```(?!sh$|text$)\S.*?^```", re.DOTALL | re.MULTILINE)
    for name, text in guides.items():
        generated_parts = {generated.PARTS[part]() for part in generated.parts_of(text)}
        assert set(whole.findall(text)) <= generated_parts, f"{name} shows a program that is not in examples/"


@pytest.mark.parametrize("block", fences("python"))
def test_python_parses(block: str) -> None:
    ast.parse(block)


@pytest.mark.parametrize("block", fences("json"))
def test_json_parses(block: str) -> None:
    json.loads(block)


def test_commands_that_are_shown_exist() -> None:
    known = dict(generated.commands())
    shown = [line for block in fences("sh") for line in block.replace("\\\n", " ").splitlines()]
    shown += [line for text in TEXTS.values() for line in re.findall(r"`(postback [a-z][^`]*)`", text)]
    calls = [shlex.split(line, comments=True) for line in shown if re.match(r"(\S+=\S* )*postback ", line)]
    assert len(calls) > 20
    for words in calls:
        words = words[words.index("postback") + 1 :]
        while words[0].startswith("--"):
            words = words[2:]
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
        if name is None:
            assert words[0].isupper(), words
            continue
        options = {option for one in known[name].params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert {word.split("=")[0] for word in words if word.startswith("-")} <= options, words


def test_scripts_that_are_shown_exist() -> None:
    shown = {script for text in TEXTS.values() for script in re.findall(r"\bscripts/[a-z]+", text)}
    assert shown
    assert {script for script in shown if not (ROOT / script).exists()} == set()


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    for variable in ("XDG_DATA_HOME", *(f"{name}_FILE" for name in FROM_FILES)):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/you")
    monkeypatch.setattr("sys.platform", "linux")
    defaults = settings.load().model_dump(mode="json")
    home = defaults["home"]
    code = {}
    for name, field in Settings.model_fields.items():
        value = str(defaults[name]) if defaults[name] not in (None, "") else "–"
        value = value.removesuffix(".0") if name.endswith("_rate") else value
        value = value.replace("/home/you", "~") if name == "home" else value.replace(home, "POSTBACK_HOME")
        code[str(field.validation_alias)] = [value, field.description]
    documented = {
        variable: [default.strip("`"), accepts]
        for variable, (default, accepts, _) in rows("docs/settings.md", "variable").items()
    }
    assert documented == code


def test_settings_that_nothing_reads_are_called_so() -> None:
    code = "\n".join(path.read_text("utf-8") for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    idle = {
        str(field.validation_alias)
        for name, field in Settings.model_fields.items()
        if not re.search(rf"\b(settings|self)\.{name}\b", code)
    }
    table = rows("docs/settings.md", "variable")
    assert {variable for variable, (*_, what) in table.items() if what.startswith("not used yet")} == idle


def test_event_types() -> None:
    table = rows("docs/http.md", "event type")
    assert list(table) == list(EVENTS)
    assert [event for event, cells in table.items() if cells[-1] == "yes"] == list(DEFAULT_EVENTS)


def test_headers_of_a_notification() -> None:
    told = describe()["webhooks"]["job.succeeded"]["post"]["parameters"]
    always = [header["name"] for header in told if header["required"]]
    assert list(rows("docs/http.md", "header")) == [*always, "traceparent"]


def test_roles() -> None:
    assert rows("docs/concepts.md", "role").keys() == rows("docs/scaling.md", "role").keys() == ROLES


def test_events_have_a_section_each() -> None:
    assert re.findall(r"^### (.+)$", TEXTS["docs/events.md"], re.MULTILINE) == list(EVENTS)
    by_default = re.search(
        r"^A subscriber without `events` gets (.+?):", TEXTS["docs/events.md"], re.DOTALL | re.MULTILINE
    )
    assert by_default
    assert re.findall(r"`(.+?)`", by_default[1]) == list(DEFAULT_EVENTS)


def test_verdicts() -> None:
    assert list(rows("docs/http.md", "verdict")) == list(VERDICTS)


def test_error_classes() -> None:
    classes = get_args(get_args(models.Attempt.model_fields["error_class"].annotation)[0])
    assert list(rows("docs/http.md", "`error_class`")) == list(classes)


def test_the_job_that_is_shown() -> None:
    (shown,) = (json.loads(block) for block in fences("json", "docs/http.md"))
    assert models.Job.model_validate(shown).model_dump(mode="json") == shown


def test_options_that_stand_before_a_command() -> None:
    group = typer.main.get_command(app)
    options = {option.opts[0] for option in group.params} - {"--install-completion", "--show-completion"}
    (line,) = re.findall(r"^(.+) stand before the command", TEXTS["docs/cli.md"], re.MULTILINE)
    assert set(re.findall(r"`(--[a-z-]+)`", line)) == options


def test_exit_codes() -> None:
    table = rows("docs/cli.md", "exit code")
    assert {int(code): cells[0] for code, cells in table.items()} == {code.value: code.name for code in ExitCode}


def test_the_provider_that_is_shown() -> None:
    scope: dict[str, Any] = {}
    (program,) = fences("python", "docs/providers.md")
    exec(compile(program, "providers.md", "exec"), scope)
    easel = scope["Easel"]()
    members = set(Provider.__annotations__) | {name for name in vars(Provider) if not name.startswith("_")}
    assert members <= set(dir(easel))

    order = Order("easel-1", {"prompt": "a red fox"})
    assert easel.check(order).problems == ()
    assert [problem.pointer for problem in easel.check(Order("easel-1", {})).problems] == ["/input/prompt"]
    assert json.loads(easel.submit(order, None).body) == {"model": "easel-1", "prompt": "a red fox"}
    assert easel.headers(Account("https://easel.example", "key")) == {"Authorization": "Bearer key"}
    done = b'{"drawing":{"id":"7","state":"done","urls":["https://easel.example/7.png"]}}'
    reading = easel.read_fetch(Answer(200, {}, done))
    assert isinstance(reading, Reading)
    assert (reading.status, reading.task_id, len(reading.results)) == (JobStatus.SUCCEEDED, "7", 1)
    assert easel.read_callback(easel.callback_body(Answer(200, {}, done))) == reading
    for status, answer, disposition in [
        (429, b"{}", "throttle"),
        (502, b"<html>", "ambiguous"),
        (403, b'{"code":"no_credit","message":"No."}', "final"),
    ]:
        refusal = easel.read_submit(Answer(status, {}, answer))
        assert isinstance(refusal, Refusal)
        assert refusal.disposition == disposition
    assert easel.hint("no_credit") == "Top up the account."
