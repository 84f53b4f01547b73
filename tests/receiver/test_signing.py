import base64
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from receiver.signing import Mismatch, Verdict, headers, new_secret, parse_secret, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_plJ3nmyCDGBKInavdOK15jsl"
BODY = '{"type":"job.succeeded","data":{"prompt":"一只猫 🐈"}}'.encode()
NOW = 1_700_000_000

VECTORS = [
    (
        SECRET,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        OTHER,
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
        "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    ),
]


@pytest.mark.parametrize(("secret", "id", "timestamp", "body", "signature"), VECTORS)
def test_published_vectors(secret: str, id: str, timestamp: int, body: bytes, signature: str) -> None:
    assert sign([secret], id, timestamp, body) == signature
    assert verify(secret, headers([secret], id, timestamp, body), body, timestamp).ok


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_public_libraries_verify_ours(library: type) -> None:
    secret = new_secret(lambda count: bytes(range(count)))
    library(secret).verify(BODY, headers([secret], "ntf_1", int(time.time()), BODY))


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@pytest.mark.parametrize("size", [24, 32, 64])
def test_we_verify_the_public_libraries(library: type, size: int) -> None:
    secret = "whsec_" + base64.b64encode(bytes(size)).decode()
    signature = library(secret).sign("ntf_1", datetime.fromtimestamp(NOW, UTC), BODY.decode())
    assert signature == sign([secret], "ntf_1", NOW, BODY)
    sent = {"Webhook-Id": "ntf_1", "WEBHOOK-TIMESTAMP": str(NOW), "webhook-signature": signature}
    assert verify(secret, sent, BODY, NOW).ok


@pytest.mark.parametrize("secret", [SECRET, OTHER])
@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_rotation_signs_with_both_secrets(library: type, secret: str) -> None:
    sent = headers([SECRET, OTHER], "ntf_1", int(time.time()), BODY)
    assert len(sent["webhook-signature"].split(" ")) == 2
    library(secret).verify(BODY, sent)
    assert verify(secret, sent, BODY, time.time()).ok


def test_a_message_without_a_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sign([], "ntf_1", NOW, BODY)


def test_a_new_secret_holds_the_random_bytes() -> None:
    asked: list[int] = []
    secret = new_secret(lambda count: asked.append(count) or b"\xff" * count)  # type: ignore[func-returns-value]
    assert asked == [32]
    assert secret.startswith("whsec_")
    assert parse_secret(secret) == b"\xff" * 32


@pytest.mark.parametrize("size", [24, 25, 26, 64])
def test_secrets_that_users_bring(size: int) -> None:
    encoded = base64.b64encode(bytes(size)).decode()
    assert parse_secret("whsec_" + encoded) == bytes(size)
    assert parse_secret("whsec_" + encoded.rstrip("=")) == bytes(size)


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("", "starts with whsec_"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "starts with whsec_"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "starts with whsec_"),
        ("whsec_", "not empty"),
        ("whsec_M", "base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa密", "base64"),
        (OTHER, "this one holds 18"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "this one holds 23"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "this one holds 65"),
    ],
)
def test_malformed_secrets(secret: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_secret(secret)
    assert len(secret) < 8 or secret[6:] not in str(caught.value)


def judge(change: dict[str, str | None], body: bytes = BODY, now: float = NOW, secret: str = SECRET) -> Verdict:
    sent = headers([SECRET], "ntf_1", NOW, BODY) | change
    return verify(secret, {name: value for name, value in sent.items() if value is not None}, body, now)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_header_is_named(name: str, value: str | None) -> None:
    verdict = judge({name: value})
    assert verdict.mismatch is Mismatch.MISSING_HEADER
    assert name in verdict.explanation


@pytest.mark.parametrize("timestamp", ["soon", "1.5", "-1", "+1", "1e9", "١٢٣", "9" * 5000])
def test_a_bad_timestamp(timestamp: str) -> None:
    assert judge({"webhook-timestamp": timestamp}).mismatch is Mismatch.BAD_TIMESTAMP


def test_the_tolerance_is_five_minutes_either_way() -> None:
    assert judge({}, now=NOW + 300).ok
    assert judge({}, now=NOW - 300).ok
    old, new = judge({}, now=NOW + 301), judge({}, now=NOW - 301)
    assert old.mismatch is Mismatch.TOO_OLD
    assert "301 seconds before" in old.explanation
    assert "itself matches" in old.explanation
    assert new.mismatch is Mismatch.TOO_NEW
    assert "301 seconds after" in new.explanation
    assert "does not match either" in judge({}, now=NOW + 301, secret=OTHER).explanation


def test_a_wrong_secret_or_a_changed_message() -> None:
    assert judge({}, secret=OTHER).mismatch is Mismatch.WRONG_SIGNATURE
    assert judge({}, body=BODY + b"\n").mismatch is Mismatch.WRONG_SIGNATURE
    assert judge({"webhook-id": "ntf_2"}).mismatch is Mismatch.WRONG_SIGNATURE
    assert judge({"webhook-timestamp": str(NOW + 1)}).mismatch is Mismatch.WRONG_SIGNATURE


def test_an_unknown_version_is_ignored_beside_a_known_one() -> None:
    good = sign([SECRET], "ntf_1", NOW, BODY)
    assert judge({"webhook-signature": "v1a,AAAA"}).mismatch is Mismatch.UNKNOWN_VERSION
    assert judge({"webhook-signature": good.removeprefix("v1,")}).mismatch is Mismatch.UNKNOWN_VERSION
    assert judge({"webhook-signature": f"v1a,AAAA v2,,, nonsense {good}"}).ok


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_nothing_a_sender_writes_raises_or_verifies(change: dict[str, str | None], body: bytes) -> None:
    assert judge(change, body=BODY + b"x" + body).mismatch is not None
    assert judge({**change, "webhook-signature": "v1,\ud800é"}).mismatch is not None
