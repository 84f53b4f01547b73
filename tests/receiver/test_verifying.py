import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from receiver.signing import Mismatch, Verdict, headers, new_private_key, public_key, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_plJ3nmyCDGBKInavdOK15jsl"
PRIVATE_KEY = new_private_key(lambda count: bytes(range(count)))
PUBLIC_KEY = public_key(PRIVATE_KEY)
KEYS = [SECRET, PUBLIC_KEY]
BODY = '{"type":"job.succeeded","data":{"prompt":"一只猫 🐈","url":"https://a.example/1.png"}}'.encode()
NOW = 1_700_000_000

Change = dict[str, str | None]


def judge(change: Change, body: bytes = BODY, now: float = NOW, key: str = SECRET) -> Verdict:
    """Of a message signed with both schemes, with some headers changed or (None) taken away."""
    sent = headers([SECRET, PRIVATE_KEY], "ntf_1", NOW, BODY) | change
    return verify(key, {name: value for name, value in sent.items() if value is not None}, body, now)


@pytest.mark.parametrize("key", [*KEYS, PRIVATE_KEY])
def test_a_good_message(key: str) -> None:
    assert judge({}, key=key) == Verdict(None, "The signature matches.")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_header_is_named(name: str, value: str | None) -> None:
    verdict = judge({name: value})
    assert verdict.mismatch is Mismatch.MISSING_HEADER
    assert verdict.explanation == f"The header {name} is missing or empty."


def test_no_header_at_all() -> None:
    verdict = verify(SECRET, {"content-type": "application/json"}, BODY, NOW)
    assert verdict.mismatch is Mismatch.MISSING_HEADER
    assert "are missing" in verdict.explanation


@pytest.mark.parametrize("prefix", ["svix-", "HTTP_WEBHOOK_", "webhook_", "X-Webhook-"])
def test_headers_under_another_name(prefix: str) -> None:
    sent = {name.replace("webhook-", prefix): value for name, value in headers([SECRET], "1", NOW, BODY).items()}
    verdict = verify(SECRET, sent, BODY, NOW)
    assert verdict.mismatch is Mismatch.RENAMED_HEADER
    assert "webhook-id" in verdict.explanation
    assert ("Svix" in verdict.explanation) is (prefix == "svix-")


def test_the_headers_of_another_sender() -> None:
    verdict = verify(SECRET, {"X-Hub-Signature-256": "sha256=00"}, BODY, NOW)
    assert verdict.mismatch is Mismatch.OTHER_SENDER
    assert "GitHub" in verdict.explanation


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("webhook-id", "webhook-timestamp"),
        ("webhook-id", "webhook-signature"),
        ("webhook-timestamp", "webhook-signature"),
    ],
)
def test_exchanged_headers(one: str, other: str) -> None:
    sent = headers([SECRET], "ntf_1", NOW, BODY)
    verdict = judge({one: sent[other], other: sent[one]})
    assert verdict.mismatch is Mismatch.SWAPPED_HEADERS
    assert f"{one} looks like a {other}" in verdict.explanation


@pytest.mark.parametrize("timestamp", ["soon", "1.5", "-1", "+1", "1e9", "١٢٣", "9" * 5000, "2026-01-31T12:00:00Z"])
def test_a_bad_timestamp(timestamp: str) -> None:
    assert judge({"webhook-timestamp": timestamp}).mismatch is Mismatch.BAD_TIMESTAMP


def test_a_timestamp_in_milliseconds() -> None:
    verdict = judge({"webhook-timestamp": f"{NOW}123"})
    assert verdict.mismatch is Mismatch.MILLISECONDS
    assert "seconds" in verdict.explanation


def test_the_tolerance_is_five_minutes_either_way() -> None:
    assert judge({}, now=NOW + 300).ok
    assert judge({}, now=NOW - 300).ok
    old, new = judge({}, now=NOW + 301), judge({}, now=NOW - 301)
    assert old.mismatch is Mismatch.TOO_OLD
    assert "301 seconds before" in old.explanation
    assert "itself matches" in old.explanation
    assert new.mismatch is Mismatch.TOO_NEW
    assert "301 seconds after" in new.explanation


def test_an_old_message_whose_signature_does_not_match_either() -> None:
    verdict = judge({}, now=NOW + 301, body=BODY + b"\n")
    assert verdict.mismatch is Mismatch.TOO_OLD
    assert "does not match either. The key is right, but the body" in verdict.explanation


@pytest.mark.parametrize("key", KEYS)
def test_a_wrong_key_or_a_changed_message(key: str) -> None:
    assert judge({}, body=BODY.replace(b"succeeded", b"failed"), key=key).mismatch is Mismatch.WRONG_SIGNATURE
    assert judge({"webhook-id": "ntf_2"}, key=key).mismatch is Mismatch.WRONG_SIGNATURE
    other = judge({}, key={SECRET: OTHER, PUBLIC_KEY: public_key(new_private_key(bytes))}[key])
    assert other.mismatch is Mismatch.WRONG_SIGNATURE
    assert "another subscriber's" in other.explanation


def test_a_body_that_postback_did_not_write() -> None:
    assert "not written as Postback" in judge({}, body=b'{ "type": "job.succeeded" }').explanation
    assert "not written as Postback" in judge({}, body=b"\xff").explanation
    assert "not written as Postback" not in judge({}, body=b'{"type":"job.succeeded"}').explanation


def test_an_empty_body() -> None:
    assert judge({}, body=b"").mismatch is Mismatch.EMPTY_BODY


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (BODY + b"\n", "a newline was added"),
        (b"\xef\xbb\xbf" + BODY, "byte order mark"),
        (json.dumps(json.loads(BODY)).encode(), "parsed as JSON and written anew"),
        (base64.b64encode(BODY), "base64"),
    ],
)
def test_a_known_change_of_the_body_is_named(key: str, body: bytes, says: str) -> None:
    verdict = judge({}, body=body, key=key)
    assert verdict.mismatch is Mismatch.CHANGED_BODY
    assert says in verdict.explanation


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("seconds", [1, -1, 298, -298])
def test_the_timestamp_of_another_attempt(key: str, seconds: int) -> None:
    verdict = judge({"webhook-timestamp": str(NOW + seconds)}, key=key)
    assert verdict.mismatch is Mismatch.OTHER_TIMESTAMP
    assert str(NOW) in verdict.explanation


def test_a_large_body_is_not_tried_with_many_timestamps() -> None:
    body = b"x" * 32_000_000
    sent = headers([SECRET], "ntf_1", NOW, body) | {"webhook-timestamp": str(NOW + 1)}
    assert verify(SECRET, sent, body, NOW).mismatch is Mismatch.WRONG_SIGNATURE


@pytest.mark.parametrize("key", [SECRET, SECRET.removeprefix("whsec_")])
def test_a_secret_used_as_text(key: str) -> None:
    digest = hmac.digest(key.encode(), b"ntf_1.%d.%s" % (NOW, BODY), hashlib.sha256)
    verdict = judge({"webhook-signature": "v1," + base64.b64encode(digest).decode()})
    assert verdict.mismatch is Mismatch.SECRET_AS_TEXT


def test_versions() -> None:
    v1, v1a = (sign([key], "ntf_1", NOW, BODY) for key in (SECRET, PRIVATE_KEY))
    for signature, key, mismatch in [
        (v1a, SECRET, Mismatch.ONLY_V1A),
        (v1, PUBLIC_KEY, Mismatch.ONLY_V1),
        ("v2,AAAA", SECRET, Mismatch.UNKNOWN_VERSION),
        (v1.removeprefix("v1,"), SECRET, Mismatch.UNKNOWN_VERSION),
        (v1a.removeprefix("v1a,"), PUBLIC_KEY, Mismatch.UNKNOWN_VERSION),
        (f"v1a,AAAA v2,,, nonsense {v1}", SECRET, None),
        (f"v1,AAAA v2,,, nonsense {v1a}", PUBLIC_KEY, None),
    ]:
        assert judge({"webhook-signature": signature}, key=key).mismatch is mismatch, signature
    assert "whpk_" in judge({"webhook-signature": v1a}).explanation
    assert "whsec_" in judge({"webhook-signature": v1}, key=PUBLIC_KEY).explanation


def _with_spare_bits(signature: str) -> str:
    """The same bytes in base64 that nobody writes: the bits of the last digit that do not count are set."""
    digits = signature.rstrip("=")
    changed = digits[:-1] + chr(ord(digits[-1]) + 1) + signature[len(digits) :]
    assert base64.b64decode(changed) == base64.b64decode(signature)
    return changed


@pytest.mark.parametrize("key", KEYS)
def test_malformed_signatures(key: str) -> None:
    version, _, good = sign([SECRET if key == SECRET else PRIVATE_KEY], "ntf_1", NOW, BODY).partition(",")
    raw = base64.b64decode(good)
    for signature, mismatch, says in [
        (good.rstrip("="), Mismatch.NOT_BASE64, "padding"),
        ("!!!!", Mismatch.NOT_BASE64, "padding"),
        (_with_spare_bits(good), Mismatch.NOT_BASE64, "padding"),
        ("é", Mismatch.NOT_BASE64, "padding"),
        (raw.hex(), Mismatch.NOT_BASE64, "hexadecimal"),
        (base64.b64encode(raw[:-1]).decode(), Mismatch.WRONG_LENGTH, f"{len(raw) - 1} bytes, not {len(raw)}"),
        ("", Mismatch.WRONG_LENGTH, "0 bytes"),
    ]:
        verdict = judge({"webhook-signature": f"{version},{signature}"}, key=key)
        assert verdict.mismatch is mismatch, signature
        assert says in verdict.explanation
        assert judge({"webhook-signature": f"{version},{signature} {version},{good}"}, key=key).ok


@pytest.mark.parametrize("key", ["", "whsec_!", "whpk_AAAA", "whpk_!", "whsk_AAAA", "secret"])
def test_a_malformed_key_is_the_callers_fault(key: str) -> None:
    with pytest.raises(ValueError, match=r"(secret|key) (starts with|is base64|holds)"):
        judge({}, key=key)


HEADERS = st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text())


SIGNATURES = st.none() | st.builds(
    lambda version, raw, more: f"{version},{base64.b64encode(raw).decode()}{more}",
    *[st.sampled_from(["v1", "v1a"]), st.binary() | st.just(bytes(32)) | st.just(bytes(64))],
    st.sampled_from(["", " v1,\ud800é v1a,\ud800é", " v1,,v1a,,,"]),
)


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=60, deadline=None)
@given(HEADERS, st.binary(), SIGNATURES, st.just(NOW) | st.integers(-(10**12), 10**12))
def test_nothing_a_sender_writes_raises_or_verifies(
    key: str, change: Change, body: bytes, signature: str | None, now: int
) -> None:
    changed = change if signature is None else {**change, "webhook-signature": signature}
    verdict = judge(changed, body=BODY + b"x" + body, key=key, now=now)
    assert verdict.mismatch is not None
    assert key[6:] not in verdict.explanation


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"9" * 10_000, b'{"a":1e999}', b"NaN", b'"\\ud800"', b'{"\\ud800":1}', b"\xff\xfe{\x00}\x00"],
)
def test_hostile_bodies(body: bytes) -> None:
    for key in KEYS:
        assert judge({}, body=body, key=key).mismatch is Mismatch.WRONG_SIGNATURE
