"""Row 36: a grep of the database file for secrets finds none; nor does one of its WAL, of the log, of all that is in
the home folder but for the two key files, or of any answer that is not there to show a secret."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.scene import opened
from e2e.server import unexpected
from e2e.wire import Stage

from tests.faults.telling import CHANGED, CREDENTIAL, KEY_FILES, PRIVATE_KEYS, Told, shown, tell


@pytest.fixture(scope="module")
def told(wires: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("secrets")
    with opened(wires, folder, f"sqlite:///{folder}/postback.sqlite3") as house:
        told = tell(house, folder)
        home = Path(house.server.env["POSTBACK_HOME"])
        told.secrets |= {name: (home / name).read_text().strip() for name in KEY_FILES}
        told.answers += shown(house.api.http)
        yield told


def test_the_database_file_and_its_wal_hold_no_secret(told: Told) -> None:
    files = {name: content for name, content in told.kept.items() if "sqlite3" in name}
    assert {"postback.sqlite3", "postback.sqlite3-wal"} <= set(files)
    assert b"first" in b"".join(files.values()), "the grep would find what is there"
    assert [(name, hit) for name, content in files.items() for hit in told.hits(content)] == []
    assert [name for name, content in files.items() for key in PRIVATE_KEYS if key in content] == []


def test_the_log_and_the_home_folder_hold_no_secret(told: Told) -> None:
    others = {name: content for name, content in told.kept.items() if "sqlite3" not in name}
    assert any(name.endswith(".log") and b'"attempt"' in content for name, content in others.items())
    assert [(name, hit) for name, content in others.items() for hit in told.hits(content)] == []
    assert unexpected(told.house.server.log) == []


def test_no_answer_shows_a_secret_that_is_not_there_to_show_it(told: Told) -> None:
    text = "\n".join(told.answers)
    assert len(told.answers) > 30
    assert re.search(r"bad token \S+ or secret", text), "what the endpoint said is shown, without what it repeated"
    assert told.hits(text.encode()) == []
    assert [key for key in PRIVATE_KEYS if key in text.encode()] == []


def test_subscribers_got_what_is_kept_from_everybody_else(told: Told) -> None:
    seen = {request.headers.get("x-token") for request in told.house.listener.received}
    assert {CREDENTIAL, CHANGED} <= seen
    shown = told.house.api("GET", "/subscribers?limit=250")["data"]
    assert {"own", "made", "rotated"} <= set(told.secrets)
    assert [one["enabled"] for one in shown].count(False) == 1, "one ended with 410"


def test_nothing_is_left_in_the_clear_after_the_end(told: Told) -> None:
    told.house.server.stop()
    for name, content in told.kept.items():
        assert told.hits(content) == [], name
