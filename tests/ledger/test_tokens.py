import json
import random

import pytest
from builders import NOW, FakeClock
from itsdangerous import URLSafeTimedSerializer

from ledger.clock import DAY, MINUTE, SECOND
from ledger.ids import Ids
from ledger.keys import SecretKeys
from ledger.tokens import BLANK, BadToken, CallbackTokens

KEY, NEW_KEY, OTHER_KEY = ("a key of sixteen and more", "a newer key of sixteen", "somebody else's long key")
JOB = Ids().new("job", NOW)
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


def tokens(*keys: str, now: int = NOW) -> CallbackTokens:
    return CallbackTokens(SecretKeys(keys or [KEY]), FakeClock(now))


def test_a_token_speaks_for_its_job_and_provider() -> None:
    token = tokens().mint(JOB, "acedata")
    assert tokens().read(token) == (JOB, "acedata")
    assert set(token) <= set(URL_SAFE)


def test_a_token_never_grows_old() -> None:
    assert tokens(now=NOW + 10 * 365 * DAY).read(tokens().mint(JOB, "acedata")) == (JOB, "acedata")


def test_no_edit_of_a_token_speaks_for_another_job() -> None:
    chance = random.Random(8414)
    token = tokens().mint(JOB, "acedata")
    reader = tokens()
    for _ in range(10_000):
        edited = edit(token, chance)
        try:
            assert reader.read(edited) == (JOB, "acedata")  # base64 leaves two bits of a signature unread
        except BadToken:
            continue
        assert edited.rpartition(".")[0] == token.rpartition(".")[0]


def edit(token: str, chance: random.Random) -> str:
    at = chance.randrange(len(token))
    match chance.randrange(5):
        case 0:
            return token[:at] + chr(ord(token[at]) ^ 1 << chance.randrange(7)) + token[at + 1 :]
        case 1:
            return token[:at] + chance.choice(URL_SAFE) + token[at + 1 :]
        case 2:
            return token[:at] + token[at + 1 :]
        case 3:
            return token[:at] + chance.choice(URL_SAFE + "é\ud800") + token[at:]
    other = chance.randrange(len(token))
    return token[:other] + token[at:] + token[other:at]


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b.c", "\x00", "灯塔", "\ud800", "=" * 100, "A" * 100_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        tokens().read(text)


def test_the_parts_of_two_tokens_do_not_make_a_third() -> None:
    one, other = tokens().mint(JOB, "acedata").split("."), tokens().mint(Ids().new("job", NOW), "acedata").split(".")
    for mixed in ([one[0], other[1], other[2]], [other[0], one[1], one[2]]):
        with pytest.raises(BadToken):
            tokens().read(".".join(mixed))


def test_another_key_or_salt_or_purpose_is_refused() -> None:
    with pytest.raises(BadToken):
        tokens(OTHER_KEY).read(tokens().mint(JOB, "acedata"))
    keys = SecretKeys([KEY])
    for secret, salt in [
        (keys.subkeys("callback-token"), "another salt"),
        (keys.subkeys("cookies"), "postback.callback-token.v1"),
        ([KEY], "postback.callback-token.v1"),
    ]:
        foreign = URLSafeTimedSerializer(secret, salt=salt).dumps([JOB, "acedata"])
        with pytest.raises(BadToken):
            tokens().read(str(foreign))


def test_a_signed_payload_of_another_shape_is_refused() -> None:
    serializer = tokens()._serializer
    for payload in ([JOB], [JOB, 1], [JOB, "acedata", "x"], {"job": JOB}, JOB, None):
        with pytest.raises(BadToken):
            tokens().read(str(serializer.dumps(payload)))


def test_a_clock_ahead_is_forgiven_for_five_minutes() -> None:
    assert tokens().read(tokens(now=NOW + 5 * MINUTE).mint(JOB, "acedata"))
    with pytest.raises(BadToken, match="future"):
        tokens().read(tokens(now=NOW + 5 * MINUTE + SECOND).mint(JOB, "acedata"))


def test_the_last_key_signs_and_all_verify() -> None:
    before = tokens(KEY).mint(JOB, "acedata")
    rotated = tokens(KEY, NEW_KEY)
    assert rotated.read(before) == (JOB, "acedata")
    after = rotated.mint(JOB, "acedata")
    assert tokens(NEW_KEY).read(after) == (JOB, "acedata")
    with pytest.raises(BadToken):
        tokens(KEY).read(after)


def test_an_error_never_quotes_the_token() -> None:
    token = tokens(OTHER_KEY).mint(JOB, "acedata")
    with pytest.raises(BadToken) as refused:
        tokens().read(token)
    assert not any(part in str(refused.value) for part in token.split("."))
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "frame",
    [
        "%s",
        "https://postback.example/callbacks/%s",
        "https://postback.example/callbacks/%s?x=1#y",
        json.dumps({"request": {"callback_url": "https://h/callbacks/%s"}, "ok": True}),
        r'{"url":"https:\/\/h\/callbacks\/%s"}',
        r'{"url":"https:\u002f\u002fh\u002fcallbacks\u002f%s"}',
        "callback_url=https%%3A%%2F%%2Fh%%2Fcallbacks%%2F%s&x=1",
        "two: %s.",
        "灯塔%s灯塔",
    ],
)
def test_our_tokens_are_blanked_wherever_a_body_echoes_them(frame: str) -> None:
    for token in (tokens().mint(JOB, "acedata"), tokens().mint(JOB, "dashscope")):
        assert tokens().blank((frame % token).encode()) == (frame % BLANK.decode()).encode()


@pytest.mark.parametrize("before", [b"WyJqb2Jf", b"WyJqb2Jfaaaa.", b"WyJqb2Jfaaaa.aaaa.", b"aaaaaaaa"])
def test_what_stands_right_before_one_of_ours_does_not_hide_it(before: bytes) -> None:
    token = tokens().mint(JOB, "acedata").encode()
    assert tokens().blank(before + token + token) == before + BLANK + BLANK


def test_a_long_body_is_searched_quickly() -> None:
    searched = tokens()
    for part in (b"a", b"WyJqb2Jf", b"WyJqb2Jfaaaa.", b"a."):
        body = part * (1_048_576 // len(part))
        assert searched.blank(body) == body


def test_tokens_of_an_older_key_are_blanked_too() -> None:
    token = tokens(KEY).mint(JOB, "acedata")
    assert tokens(KEY, NEW_KEY).blank(token.encode()) == BLANK


def test_nothing_else_is_blanked() -> None:
    foreign = tokens(OTHER_KEY).mint(JOB, "acedata").encode()
    jwt = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkw.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    for text in (foreign, jwt, b"\xff\x00 not text", b"", JOB.encode(), b"a" * 100_000):
        assert tokens().blank(text) == text
    ours = tokens().mint(JOB, "acedata").encode()
    assert tokens().blank(jwt + b"," + ours + b"," + foreign) == jwt + b"," + BLANK + b"," + foreign


def test_what_reads_as_minted_is_the_same_to_itsdangerous() -> None:
    chance = random.Random(8414)
    reader = tokens(KEY, NEW_KEY)
    minted = tokens(KEY, NEW_KEY).mint(JOB, "acedata")
    for number in range(5_000):
        token = edit(minted, chance) if number else minted
        if (read := reader._minted(token)) is not None:
            assert read == reader._any(token)


def test_only_what_does_not_read_as_minted_by_the_newest_key_is_left_to_itsdangerous(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    real = CallbackTokens._any
    monkeypatch.setattr(CallbackTokens, "_any", lambda self, token: asked.append(token) or real(self, token))
    reader = tokens(KEY, NEW_KEY)
    newest, older = (tokens(*keys).mint(JOB, "acedata") for keys in ((KEY, NEW_KEY), (KEY,)))
    assert reader.read(newest) == reader.read(older) == (JOB, "acedata")
    assert asked == [older]
