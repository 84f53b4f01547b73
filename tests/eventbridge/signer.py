"""EventBridge as a test has it: a key, its certificates, and events signed as the guide says, by its own code."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from builders import NOW
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

TOKEN = "a-token-for-tests"
TARGET = "https://hooks.example.com/pb/eventbridge"
CERTIFICATE_URL = "https://cn-beijing-eventbridge.oss-accelerate.aliyuncs.com/x509_public_certificate_2021012101.pem"


@cache
def rsa_key(name: str = "EventBridge") -> rsa.RSAPrivateKey:
    """A key for each name. As short as EventBridge's own was once, to be made quickly."""
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None, since: int = -86_400_000, until: int = 86_400_000
) -> bytes:
    """A certificate for a key, valid between two moments that are milliseconds from `NOW`."""
    key = key or rsa_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EventBridge")])
    now = datetime.fromtimestamp(NOW / 1_000, UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now + timedelta(milliseconds=since))
    builder = builder.not_valid_after(now + timedelta(milliseconds=until))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def event(task_id: str = "task-1", **changes: Any) -> bytes:
    """A task has finished: the example of the guide."""
    data = {
        "start_time": "2023-10-25 09:45:09",
        "user_api_unique_key": "apikey:v1:aigc:text2image:image-synthesis:flux-schnell",
        "task_status": "SUCCEEDED",
        "contain_result": False,
        "end_time": "2023-10-25 09:45:16",
        "task_id": task_id,
        "region": "cn-beijing",
        "request_id": "108f38f5-1111-2222-3333-6504db9080b3",
        "api_key_id": "1250",
    }
    return json.dumps(
        {
            "datacontenttype": "application/json;charset=utf-8",
            "aliyunaccountid": "1",
            "aliyunpublishtime": "2023-10-25T01:45:16.993Z",
            "data": data,
            "specversion": "1.0",
            "aliyuneventbusname": "default",
            "id": "81765e5b-1111-2222-3333-bbad8dde2bd9",
            "source": "acs.dashscope",
            "time": "2023-10-25T01:45:16.969Z",
            "aliyunregionid": "cn-beijing",
            "type": "dashscope:System:AsyncTaskFinish",
        }
        | changes,
        ensure_ascii=False,
    ).encode()


def headers(
    body: bytes,
    *,
    at: int | str = NOW,
    token: str = TOKEN,
    certificate_url: str = CERTIFICATE_URL,
    target: str = TARGET,
    key: rsa.RSAPrivateKey | None = None,
    end: bytes = b"",
) -> Mapping[str, str]:
    """The headers of a signed event. `end` is what stands behind the body in the text that is signed."""
    fixed = {
        "x-eventbridge-signature-timestamp": str(at),
        "x-eventbridge-hash-method": "SHA256",
        "x-eventbridge-signature-version": "1.0",
        "x-eventbridge-signature-url": certificate_url,
        "x-eventbridge-signature-token": token,
    }
    lines = "".join(f"{name}: {value}\n" for name, value in fixed.items())
    text = f"{target}\n{lines}".encode() + body + end
    signature = (key or rsa_key()).sign(text, padding.PKCS1v15(), hashes.SHA256())
    return fixed | {
        "x-eventbridge-signature-v2": base64.b64encode(signature).decode(),
        "content-type": "application/json",
    }
