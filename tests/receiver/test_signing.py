import base64
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from receiver.schemes import read_signer, read_verifier
from receiver.signing import (
    headers,
    new_private_key,
    new_secret,
    parse_secret,
    public_key,
    sign,
    verify,
)

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


# The first is the Go library's of Standard Webhooks, with a seed for the private key; the second that of Svix's server,
# where the public key follows the seed.
ED25519_VECTORS = [
    (
        "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=",
        None,
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==",
    ),
    (
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
    ),
]


@pytest.mark.parametrize(("private_key", "public", "signature"), ED25519_VECTORS)
def test_published_ed25519_vectors(private_key: str, public: str | None, signature: str) -> None:
    id, timestamp, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    assert sign([private_key], id, timestamp, body) == signature
    assert public in (None, public_key(private_key))
    for key in (public_key(private_key), private_key):
        assert verify(key, headers([private_key], id, timestamp, body), body, timestamp).ok


def test_a_new_private_key_holds_the_random_bytes() -> None:
    asked: list[int] = []
    private_key = new_private_key(lambda count: asked.append(count) or bytes(range(count)))  # type: ignore[func-returns-value]
    assert asked == [32]
    assert private_key == "whsk_" + base64.b64encode(bytes(range(32))).decode()
    assert len(base64.b64decode(public_key(private_key).removeprefix("whpk_"), validate=True)) == 32


def test_both_schemes_in_their_order() -> None:
    private_key = new_private_key(bytes)
    alone = {key: sign([key], "ntf_1", NOW, BODY) for key in (SECRET, OTHER, private_key)}
    assert alone[SECRET].startswith("v1,")
    assert alone[private_key].startswith("v1a,")
    for keys in ([SECRET, private_key], [private_key, OTHER, SECRET]):
        assert sign(keys, "ntf_1", NOW, BODY) == " ".join(alone[key] for key in keys)
        sent = headers(keys, "ntf_1", NOW, BODY)
        for key in (SECRET, public_key(private_key)):
            assert verify(key, sent, BODY, NOW).ok


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@given(
    key=st.binary(min_size=1, max_size=64),
    id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    timestamp=st.integers(0, 2**32),
    body=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_message_is_signed_as_the_public_libraries_do(
    library: type, key: bytes, id: str, timestamp: int, body: str
) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    moment = datetime.fromtimestamp(timestamp, UTC)
    assert sign([secret], id, timestamp, body.encode()) == library(secret).sign(id, moment, body)


@pytest.mark.parametrize(
    ("private_key", "says"),
    [
        ("whsk_", "this one 0"),
        ("whsk_" + base64.b64encode(bytes(31)).decode(), "this one 31"),
        ("whsk_" + base64.b64encode(bytes(64)).decode(), "not its own"),
        ("whsk_!", "base64 after whsk_"),
        (SECRET, "starts with whsk_"),
        ("whpk_" + base64.b64encode(bytes(32)).decode(), "starts with whsk_"),
    ],
)
def test_malformed_private_keys(private_key: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        public_key(private_key)
    assert len(private_key) < 8 or private_key[6:] not in str(caught.value)


@pytest.mark.parametrize("private_key", ["whsk_AAAA", "whpk_" + base64.b64encode(bytes(32)).decode(), "AAAA", ""])
def test_what_cannot_sign(private_key: str) -> None:
    with pytest.raises(ValueError, match=r"a private key holds|starts with whsec_"):
        sign([SECRET, private_key], "ntf_1", NOW, BODY)


def test_users_bring_secrets_only() -> None:
    with pytest.raises(ValueError, match="starts with whsec_"):
        parse_secret(new_private_key(bytes))


def test_keys_do_not_show_themselves() -> None:
    shown = repr([read_signer(SECRET), read_signer(new_private_key(bytes)), read_verifier(SECRET)])
    assert str(parse_secret(SECRET)) not in shown
