"""`postback keys` and `postback sign-in` against the stub: what they ask, what they print."""

from typing import Any

import pytest

from .conftest import Cli
from .samples import page
from .stub import Stub

KEY: dict[str, Any] = {
    "id": "key_1",
    "name": "the shop [bold]",
    "scope": "submit",
    "created_at": "2026-01-31T12:00:00.000Z",
    "last_used_at": None,
    "revoked_at": None,
}
TEXT = "pbk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAAAAAAA"


def test_create_prints_the_key_alone(cli: Cli, stub: Stub) -> None:
    stub.answer("POST /v1/keys", {**KEY, "key": TEXT}, status=201)
    shown = cli("keys", "create", "the shop", "--scope", "submit")
    assert (shown.code, shown.out) == (0, f"{TEXT}\n")
    assert "not shown again" in shown.err
    assert stub.last.body == {"name": "the shop", "scope": "submit"}
    assert cli("keys", "create", "the shop", "--scope", "submit", "--json").json == {**KEY, "key": TEXT}


def test_create_wants_a_scope(cli: Cli, stub: Stub) -> None:
    shown = cli("keys", "create", "the shop")
    assert (shown.code, stub.asked) == (2, [])
    assert "--scope" in shown.err


@pytest.mark.parametrize("line", ["keys create x", "sign-in"])
def test_a_scope_that_there_is_not_names_those_there_are(cli: Cli, stub: Stub, line: str) -> None:
    shown = cli(*line.split(), "--scope", "god")
    assert (shown.code, stub.asked) == (2, [])
    assert "there is no scope 'god'; choose read, submit or admin" in shown.err


def test_list(cli: Cli, stub: Stub) -> None:
    used = {**KEY, "id": "key_2", "last_used_at": "2026-01-31T13:00:00.000Z"}
    stub.answer("GET /v1/keys", page(used, KEY, cursor="c2"))
    shown = cli("keys", "list", "--limit", "2")
    heading, first, second = shown.out.splitlines()
    assert heading.split() == ["ID", "NAME", "SCOPE", "CREATED", "LAST", "USED", "REVOKED"]
    assert first.split()[-2:] == ["2026-01-31T13:00:00.000Z", "–"]
    assert ("the shop [bold]" in second, second.split()[-2:]) == (True, ["–", "–"])
    assert shown.err == "There are more: add --cursor c2\n"
    assert stub.last.query == {"limit": "2"}
    assert cli("keys", "list", "--json").json == page(used, KEY, cursor="c2")
    stub.answer("GET /v1/keys", page())
    assert "postback keys create" in cli("keys", "list").err


def test_revoke(cli: Cli, stub: Stub) -> None:
    stub.answer("DELETE /v1/keys/key_1", {})
    shown = cli("keys", "revoke", "key_1", "--yes")
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.startswith("key_1 is revoked.")
    assert (stub.last.method, stub.last.path) == ("DELETE", "/v1/keys/key_1")
    assert cli("keys", "revoke", "key_none", "--yes").code == 3


def test_too_small_a_scope_says_what_to_do(cli: Cli, stub: Stub) -> None:
    told = "This needs an API key with the scope admin; yours has read. Whoever has an admin key can make one"
    stub.refuse("GET /v1/keys", 403, told)
    shown = cli("keys", "list")
    assert shown.code == 4
    assert told in shown.err


def test_sign_in_prints_a_link_at_the_address_the_command_line_uses(cli: Cli, stub: Stub) -> None:
    link = {"path": "/sign-in/abc", "scope": "admin", "expires_at": "2026-01-31T12:15:00.000Z"}
    stub.answer("POST /v1/sign-in-links", link, status=201)
    shown = cli("sign-in")
    assert (shown.code, shown.out) == (0, f"{stub.url}/sign-in/abc\n")
    assert "good once, until 2026-01-31T12:15:00.000Z" in shown.err
    assert stub.last.body == {}
    assert cli("sign-in", "--scope", "read", "--json").json == {**link, "url": f"{stub.url}/sign-in/abc"}
    assert stub.last.body == {"scope": "read"}
