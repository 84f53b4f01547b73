"""A callback's token: whatever is done to one, it speaks for its own job or for none."""

from collections.abc import Iterable

from itsdangerous import URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode

from ledger.clock import MINUTE
from ledger.keys import SecretKeys
from ledger.tokens import BadToken, CallbackTokens

NOW = 1_700_000_000_000
OLDER, KEY, OTHER = "an older key of sixteen", "a key of sixteen and more", "somebody else's long key"
JOBS = ("job_01hf7yat00e7s9f2vaq8q2k0e4", "job_01hf7yat01fzcrr6v7qmx5d8b1")


def _tokens(*keys: str, ahead: int = 0) -> CallbackTokens:
    return CallbackTokens(SecretKeys(keys), lambda: NOW + ahead)


READER = _tokens(OLDER, KEY)
GOOD = {
    minting.mint(job, provider): (job, provider)
    for minting in (READER, _tokens(OLDER), _tokens(KEY, ahead=4 * MINUTE))
    for job in JOBS
    for provider in ("dashscope", "acedata")
}


def _parts(token: str) -> tuple[str, bytes]:
    """What is signed, and the signature, as bytes: its base64 has more than one spelling."""
    signed, _, signature = token.rpartition(".")
    return signed, base64_decode(signature.encode())


MINTED = {_parts(token): speaks for token, speaks in GOOD.items()}


def seeds() -> Iterable[bytes]:
    """Good tokens, and some that are signed and yet no good."""
    yield from (token.encode() for token in GOOD)
    for tokens in (_tokens(OTHER), _tokens(KEY, ahead=6 * MINUTE)):
        yield tokens.mint(JOBS[0], "dashscope").encode()
    foreign = URLSafeTimedSerializer(SecretKeys([KEY]).subkeys("callback-token"), salt="another")
    yield str(foreign.dumps([JOBS[0], "dashscope"])).encode()
    for payload in ([JOBS[0]], {"job": JOBS[0]}, None, "x" * 500):
        yield str(READER._serializer.dumps(payload)).encode()


def judge(data: bytes) -> None:
    """Read, it is refused or is one of the good ones, and so is a good one that it is written into; blanked, no good
    one is left in it."""
    token = list(GOOD)[len(data) % len(GOOD)]
    for text in (data.decode("latin-1"), data.decode("utf-8", "surrogateescape")):
        _read(text)
        at = ord(text[0]) % len(token) if text else 0
        _read(token[:at] + text[1:] + token[at + len(text[1:]) :])
    blanked = READER.blank(data + token.encode() + data)
    assert not any(token.encode() in blanked for token in GOOD)
    assert READER.blank(blanked) == blanked


def _read(text: str) -> None:
    try:
        speaks = READER.read(text)
    except BadToken as refused:
        said = str(refused)
    else:
        said = ""
        assert MINTED.get(_parts(text)) == speaks, "a token that nobody minted"
    assert not any(part in said for part in text.split(".") if len(part) > 8)
