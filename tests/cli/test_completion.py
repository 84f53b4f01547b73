"""TAB completes commands, options, words and ids; whatever goes wrong, nothing is said."""

import pytest

from ledger.callbacks import VERDICTS
from postback.cli import completion

from .conftest import Cli
from .samples import DELIVERY, JOB, SUBSCRIBER, page
from .stub import Stub


@pytest.fixture
def complete(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """What bash would offer for the last of the words."""

    def offered(*words: str) -> object:
        monkeypatch.setenv("_POSTBACK_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["postback", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        shown = cli()
        assert shown.err == ""
        return shown.out.split()

    return offered  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["jo"], ["jobs"]),
        (["jobs", "wa"], ["watch"]),
        (["jobs", "list", "--prov"], ["--provider"]),
        (["jobs", "list", "--status", "su"], ["submitting", "succeeded"]),
        (["jobs", "list", "--provider", "a"], ["acedata"]),
        (["deliveries", "list", "--status", "d"], ["delivering", "delivered", "dead"]),
        (["callbacks", "list", "--verdict", "inv"], ["invalid"]),
        (["tail", "--type", "job.failed,job.l"], ["job.failed,job.lost"]),
        (["subscribers", "add", "--event", "delivery."], ["delivery.dead", "delivery.*"]),
        (["submit", "flux-sch"], ["flux-schnell"]),
    ],
)
def test_words(complete: Cli, words: list[str], offered: list[str]) -> None:
    assert complete(*words) == offered


@pytest.mark.parametrize(
    ("words", "noun", "row"),
    [
        (["jobs", "show", "job_"], "jobs", JOB),
        (["deliveries", "redeliver", "dlv"], "deliveries", DELIVERY),
        (["subscribers", "test", ""], "subscribers", SUBSCRIBER),
        (["submit", "--subscriber", "s"], "subscribers", SUBSCRIBER),
    ],
)
def test_ids(complete: Cli, stub: Stub, words: list[str], noun: str, row: dict[str, str]) -> None:
    stub.answer(f"GET /v1/{noun}", page(row, {**row, "id": "other"}))
    offered = complete(*words)
    assert offered == [row["id"], *(["other"] if words[-1] == "" else [])]


def test_ids_are_asked_of_the_server_that_is_named(complete: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_URL", "http://127.0.0.1:1")
    stub.answer("GET /v1/jobs", page(JOB))
    assert complete("--url", stub.url, "jobs", "show", "") == ["job_1"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense"])
def test_without_a_server_there_is_nothing(complete: Cli, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("POSTBACK_URL", url)
    assert complete("jobs", "show", "") == []


def test_a_refusal_is_nothing(complete: Cli, stub: Stub) -> None:
    stub.refuse("GET /v1/jobs", 500, "No.")
    assert complete("jobs", "show", "") == []


def test_the_script_is_shown(cli: Cli) -> None:
    shown = cli("--show-completion", "bash")
    assert shown.code == 0
    assert "_POSTBACK_COMPLETE=complete_bash" in shown.out


def test_the_verdicts_are_those_of_the_ledger() -> None:
    assert completion.VERDICTS == VERDICTS
