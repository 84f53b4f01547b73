"""`POST /eventbridge`: DashScope says, through Alibaba Cloud EventBridge, that a job has finished.

An event only wakes the poller, which asks once and tells the receiver as ever: an event never carries a result in.

Sources: the EventBridge user guide, "Signature algorithm"
(help.aliyun.com/en/eventbridge/user-guide/signature-algorithm): how v2 signs, the 60 seconds, the certificate's host.
For the form of the text that is signed, also StringToSignBuilder in github.com/aliyun/alibabacloud-eventbridge-sdk,
Alibaba's own for v1. The event: the Model Studio guide to notifications of finished asynchronous tasks. What could not
be tried against the real service is listed in `docs/eventbridge.md`.
"""

import base64
import secrets
from collections.abc import Callable, Mapping

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ledger import pushes
from ledger.clock import SECOND
from ledger.ledger import Ledger
from providers import jsontext
from receiver import bodies
from receiver.certificates import BadCertificate, Certificates, is_official
from receiver.egress import EgressError
from receiver.problems import Problem

log = structlog.get_logger()

PATH = "/eventbridge"
PROVIDER = "dashscope"
TYPE = "dashscope:System:AsyncTaskFinish"
SOURCE = "acs.dashscope"

SIGNATURE = "x-eventbridge-signature-v2"
TIMESTAMP = "x-eventbridge-signature-timestamp"
HASH_METHOD = "x-eventbridge-hash-method"
VERSION = "x-eventbridge-signature-version"
CERTIFICATE_URL = "x-eventbridge-signature-url"
TOKEN = "x-eventbridge-signature-token"
SIGNED = (TIMESTAMP, HASH_METHOD, VERSION, CERTIFICATE_URL, TOKEN)
"""The headers that the signature covers, in its order."""

MAX_AGE = 60 * SECOND
_MAX_DIGITS = 16


class NotSigned(Exception):
    """A request that is not EventBridge's own. The message says why, for the log."""


class EventBridge:
    """Accepts events. `url` is the target as the rule has it, `token` the one that was set there; `wake` is called
    when there is a job to ask about."""

    path = PATH

    def __init__(
        self,
        ledger: Ledger,
        certificates: Certificates,
        *,
        url: str,
        token: str,
        max_body: int,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._certificates = certificates
        self._url = url
        self._token = token
        self._max_body = max_body
        self._wake = wake

    async def receive(self, request: Request) -> Response:
        """One event. Tasks that are not ours are acknowledged: a rule sends those of the whole account."""
        try:
            headers = self._headers(request.headers)
            body = await bodies.read(request, self._max_body)
            key = await self._certificates.key(headers[CERTIFICATE_URL])
            query = request.scope["query_string"].decode("latin-1")
            url = f"{self._url}?{query}" if query else self._url
            if not signed(key, headers[SIGNATURE], string_to_sign(url, headers, body)):
                raise NotSigned("the signature is not that of the event; is POSTBACK_PUBLIC_URL the URL of the rule?")
        except (NotSigned, BadCertificate) as error:
            log.warning("event_refused", reason=str(error))
            raise Problem("bad-signature", "The event is not signed as it must be; the log says more.") from None
        except EgressError as error:
            log.warning("event_not_verified", reason=error.message)
            raise Problem("unavailable", "The certificate could not be fetched; send the event again.") from None
        task_id = _task_id(body)
        woken = 0 if task_id is None else await self._ledger.write(pushes.wake, PROVIDER, [task_id])
        log.info("event", task_id=task_id, woken=woken)
        if woken:
            self._wake()
        return JSONResponse({"woken": woken})

    def _headers(self, received: Headers) -> Mapping[str, str]:
        """What is signed and the signature, after all checks that cost nothing: the token first, since who does not
        know it shall not make us fetch anything."""
        headers = {name: values[0] for name in (*SIGNED, SIGNATURE) if len(values := received.getlist(name)) == 1}
        if not secrets.compare_digest(headers.get(TOKEN, "").encode(), self._token.encode()):
            raise NotSigned("the token is not POSTBACK_EVENTBRIDGE_TOKEN")
        if missing := [name for name in (*SIGNED, SIGNATURE) if name not in headers]:
            raise NotSigned(f"not there once: {', '.join(missing)}")
        sent_at = headers[TIMESTAMP]
        if not (sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= _MAX_DIGITS):
            raise NotSigned("the timestamp is not a number")
        if abs(self._ledger.clock() - int(sent_at)) > MAX_AGE:
            raise NotSigned("the timestamp is more than a minute away from our clock")
        if not is_official(headers[CERTIFICATE_URL]):
            raise NotSigned("the certificate is not at one of EventBridge's own hosts")
        return headers


def string_to_sign(url: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """What is signed: the target's URL with its query, the headers `SIGNED` as `name: value`, and the body, each
    after a line feed."""
    lines = [url, *(f"{name}: {headers[name]}" for name in SIGNED), ""]
    return "\n".join(lines).encode() + body


def signed(key: RSAPublicKey, signature: str, text: bytes) -> bool:
    """Whether the base64 `signature` is RSA (PKCS #1 v1.5) with SHA-256 over the text.

    The guide's formula ends with the body, Alibaba's own library with one more line feed: either is good.
    """
    try:
        decoded = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    return any(_verifies(key, decoded, candidate) for candidate in (text, text + b"\n"))


def _verifies(key: RSAPublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _task_id(body: bytes) -> str | None:
    """The task that has finished; None for events of other kinds, which a rule may send as well."""
    try:
        event = jsontext.load_object(body)
    except jsontext.BadJson as error:
        raise Problem("bad-json", f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    kind = event.get("type"), event.get("source")
    match event.get("data"):
        case {"task_id": str(task_id)} if kind == (TYPE, SOURCE):
            return task_id
    if kind != (TYPE, SOURCE) and all(isinstance(word, str) for word in kind):
        return None
    raise Problem("bad-request", "The event holds no task_id; let the rule send the complete event.")
