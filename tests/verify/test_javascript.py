"""JavaScript as a judge: the public libraries, Node.js' own ed25519, and the TypeScript that docs/verify.md shows."""

import base64
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from receiver import signing

from .document import programs
from .messages import EVENT, PUBLIC_KEY, SECRET, Message, genuine, spoiled
from .node import Node, NodeUnavailable, node_in

KEYS = {"with-standardwebhooks": SECRET, "with-svix": SECRET, "by-hand": SECRET, "by-public-key": PUBLIC_KEY}
"""Each program that verifies, and the key it takes."""

ALPHABET = "abcXYZ019 _-=.,{}[]:\"\\/'\n\r\t\u0000é一🐈\u2028"


@pytest.fixture(scope="module")
def compiled(node: Node) -> Node:
    """With the TypeScript of the document, which the compiler has nothing to say against."""
    assert node.compile(programs("ts")) == ""
    return node


def judged(node: Node, program: str, messages: list[Message]) -> dict[str, Any]:
    answers = node.run("run.js", [message.document(program) for message in messages])
    return dict(zip([message.label for message in messages], answers, strict=True))


def test_every_program_is_tested() -> None:
    assert programs("ts").keys() == {*(f"{name}.ts" for name in KEYS), "endpoint.ts"}


@pytest.mark.parametrize("program", KEYS)
def test_genuine_messages_are_accepted(compiled: Node, program: str) -> None:
    messages = genuine(KEYS[program])
    assert judged(compiled, program, messages) == {message.label: {"event": EVENT} for message in messages}


@pytest.mark.parametrize("program", KEYS)
def test_spoiled_messages_are_refused(compiled: Node, program: str) -> None:
    answers = judged(compiled, program, list(spoiled(KEYS[program])))
    assert len(answers) > 15
    assert [label for label, answer in answers.items() if "refused" not in answer] == []


def test_the_endpoint(compiled: Node) -> None:
    good, bad = genuine(SECRET), [message for message in spoiled(SECRET) if message.key == SECRET]
    answer = compiled.run("post.js", [message.document("endpoint") for message in [*good, *bad]])
    assert answer["statuses"] == [204] * len(good) + [400] * len(bad)
    assert answer["inbox"] == [["ntf_1", EVENT]]


def test_the_compiler_would_complain(node: Node) -> None:
    assert "TS2322" in node.compile({"wrong.ts": 'export const wrong: number = "text";\n'})
    (node.folder / "wrong.ts").unlink()


def test_the_libraries_and_node_sign_and_verify_the_same(node: Node) -> None:
    chance = random.Random(4)
    now, given = int(time.time()), []
    for size in [*range(1, 40), 1000, 100_000]:
        id = "ntf_" + "".join(chance.choices("abc019", k=chance.randint(1, 30)))
        body = json.dumps("".join(chance.choices(ALPHABET, k=size)), ensure_ascii=bool(size % 2)).encode()
        secret = signing.new_secret(lambda _: chance.randbytes(chance.randint(24, 64)))
        private_key = signing.new_private_key(chance.randbytes)
        headers = signing.headers([secret, private_key], id, now, body)
        given.append(
            {
                "id": id,
                "timestamp": now,
                "body": base64.b64encode(body).decode(),
                "headers": headers,
                "secret": secret,
                "seed": private_key.removeprefix("whsk_"),
                "publicKey": signing.public_key(private_key).removeprefix("whpk_"),
            }
        )
    for ours, theirs in zip(given, node.run("judge.js", given), strict=True):
        v1, v1a = ours["headers"]["webhook-signature"].split(" ")
        assert theirs == {"v1": [v1, v1], "v1a": v1a, "verified": True, "publicKey": True}


def test_a_machine_without_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NodeUnavailable, match="not installed"):
        node_in(tmp_path)


def test_packages_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(NodeUnavailable, match="npm ci failed: no network"):
        node_in(tmp_path / "packages")
