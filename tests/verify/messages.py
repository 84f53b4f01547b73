"""Messages as Postback signs them, and as somebody spoils them."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from receiver import signing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_plJ3nmyCDGBKInavdOK15jslC2FVsBQIhrscChlQ"
PRIVATE_KEY = signing.new_private_key(lambda count: bytes(range(count)))
OLD_PRIVATE_KEY = signing.new_private_key(lambda count: bytes(range(1, count + 1)))
PUBLIC_KEY = signing.public_key(PRIVATE_KEY)
OTHER_KEYS = {
    SECRET: "whsec_" + base64.b64encode(bytes(32)).decode(),
    PUBLIC_KEY: signing.public_key(signing.new_private_key(bytes)),
}

EVENT = {
    "type": "job.succeeded",
    "timestamp": "2026-01-31T12:00:00.000Z",
    "data": {"prompt": "一只猫 🐈", "sequence": 1},
}
BODY = json.dumps(EVENT, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Message:
    """A request as it arrives, and the key that somebody verifies it with."""

    label: str
    key: str
    headers: dict[str, str]
    body: bytes

    def document(self, program: str) -> dict[str, Any]:
        """For JavaScript: to be judged by that program."""
        body = base64.b64encode(self.body).decode()
        return {"program": program, "key": self.key, "headers": self.headers, "body": body}


def signed(label: str, key: str, secrets: list[str], seconds: int = 0) -> Message:
    """A message signed with those secrets, so many seconds from now."""
    return Message(label, key, signing.headers(secrets, "ntf_1", int(time.time()) + seconds, BODY), BODY)


def genuine(key: str) -> list[Message]:
    """Messages that verify with `SECRET` or `PUBLIC_KEY`."""
    live, old = (SECRET, OLD_SECRET) if key == SECRET else (PRIVATE_KEY, OLD_PRIVATE_KEY)
    return [
        signed("signed once", key, [live]),
        signed("during a rotation, first", key, [live, old]),
        signed("during a rotation, last", key, [old, live]),
        signed("both schemes", key, [SECRET, PRIVATE_KEY]),
        signed("both schemes, the other order", key, [PRIVATE_KEY, SECRET]),
        signed("a clock that is late", key, [live], -200),
        signed("a clock that is early", key, [live], 200),
    ]


def spoiled(key: str) -> Iterator[Message]:
    """Messages that nobody may accept."""
    good = signed("", key, [SECRET, PRIVATE_KEY])
    signature = good.headers[signing.SIGNATURE]
    yield replace(good, label="one byte changed", body=BODY.replace(b"succeeded", b"succeedeD"))
    yield replace(good, label="one byte more", body=BODY + b" ")
    yield replace(good, label="nothing", body=b"")
    yield replace(good, label="another key", key=OTHER_KEYS[key])
    yield signed("signed with another", key, [OLD_SECRET, OLD_PRIVATE_KEY])
    yield signed("too old", key, [SECRET, PRIVATE_KEY], -400)
    yield signed("too new", key, [SECRET, PRIVATE_KEY], 400)
    later = str(int(good.headers[signing.TIMESTAMP]) + 1)
    changes = {
        "another id": {signing.ID: "ntf_2"},
        "another timestamp": {signing.TIMESTAMP: later},
        "no timestamp": {signing.TIMESTAMP: "soon"},
        "no versions": {signing.SIGNATURE: signature.replace("v1a,", "").replace("v1,", "")},
        "versions exchanged": {signing.SIGNATURE: signature.replace("v1a,", "v2,").replace("v1,", "v1a,")},
        "cut off": {signing.SIGNATURE: signature.replace("v1,", "v1,AAAA").replace("v1a,", "v1a,AAAA")},
        "not base64": {signing.SIGNATURE: "v1,!!!! v1a,!!!!"},
        "empty signatures": {signing.SIGNATURE: "v1, v1a,"},
        "bare versions": {signing.SIGNATURE: "v1 v1a"},
    }
    for label, change in changes.items():
        yield replace(good, label=label, headers=good.headers | change)
    for name in good.headers:
        without = {other: value for other, value in good.headers.items() if other != name}
        yield replace(good, label=f"without {name}", headers=without)
