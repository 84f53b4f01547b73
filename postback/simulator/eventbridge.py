"""EventBridge's part for DashScope: a signed event, without a result, for each task that has finished.

The words `[nocallback]`, `[late]` and `[duplicate]` of a prompt hold for its events as for AceData's callbacks.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2 as httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from starlette.responses import Response
from starlette.routing import Route

from postback.simulator import dashscope_bodies as bodies
from postback.simulator.callbacks import Callbacks
from postback.simulator.task import Task
from postback.simulator.world import World
from providers import jsontext
from receiver.eventbridge import (
    CERTIFICATE_URL,
    HASH_METHOD,
    SIGNATURE,
    SOURCE,
    TIMESTAMP,
    TOKEN,
    TYPE,
    VERSION,
    string_to_sign,
)

CERTIFICATE_PATH = "/eventbridge/certificate.pem"
_DAYS = 365


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the events go, as a rule of EventBridge says it.

    A receiver trusts no certificate but those of EventBridge's own hosts, so events name such a URL; whoever wants to
    verify them gets the certificate from `CERTIFICATE_PATH` of the simulator in its stead.
    """

    url: str
    token: str
    region: str = "cn-beijing"

    @property
    def certificate_url(self) -> str:
        return f"https://{self.region}-eventbridge.oss-accelerate.aliyuncs.com/postback_simulator.pem"


class Events(Callbacks):
    """Sends events while `running`, signed with a key of its own."""

    def __init__(self, world: World, rule: Rule, transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(world, transport)
        self._rule = rule
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _certificate(self._key, datetime.fromtimestamp(world.now(), UTC))
        self.routes = [Route(CERTIFICATE_PATH, lambda _: Response(certificate, media_type="application/x-pem-file"))]

    def announce(self, task: Task) -> None:
        """Sends the task's events once it has finished, in the background."""
        if not task.script.nocallback and not self.full:
            self.schedule(task, self._rule.url)

    async def send(self, task: Task, url: str) -> None:
        """Sends what the task's script asks for, one after the other."""
        body = jsontext.dumps(self._event(self._world.tasks.get(task.id, task)))
        for _ in range(task.script.duplicate):
            await self._post(task, url, body, self._headers(url, body))

    def _headers(self, url: str, body: bytes) -> Mapping[str, str]:
        headers = {
            TIMESTAMP: str(int(self._world.now() * 1000)),
            HASH_METHOD: "SHA256",
            VERSION: "1.0",
            CERTIFICATE_URL: self._rule.certificate_url,
            TOKEN: self._rule.token,
        }
        signature = self._key.sign(string_to_sign(url, headers, body), padding.PKCS1v15(), hashes.SHA256())
        return {**headers, SIGNATURE: base64.b64encode(signature).decode(), "content-type": "application/json"}

    def _event(self, task: Task) -> Mapping[str, object]:
        now = self._world.now()
        data = {
            "task_id": task.id,
            "task_status": task.state(now),
            "user_api_unique_key": bodies.listed(task, now)["user_api_unique_key"],
            "start_time": _time(task.started_at),
            "end_time": _time(task.ended_at),
            "request_id": self._world.new_id(),
            "region": self._rule.region,
            "contain_result": False,
        }
        return {
            "id": self._world.new_id(),
            "specversion": "1.0",
            "type": TYPE,
            "source": SOURCE,
            "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json;charset=utf-8",
            "aliyunregionid": self._rule.region,
            "aliyuneventbusname": "default",
            "data": data,
        }


def _certificate(key: rsa.RSAPrivateKey, now: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Postback simulator")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=_DAYS))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, bodies.CHINA).strftime("%Y-%m-%d %H:%M:%S")
