"""The public URL: what is sent there comes here."""

import httpx2 as httpx

from ledger.errors import LedgerError
from ledger.keys import BadKeys
from postback import installation
from postback.doctor.finding import Finding, fail, ok, warn
from postback.doctor.keys import kept
from postback.doctor.patient import Patient
from postback.doctor.wire import NoAnswer, ask, is_loopback
from postback.setting_types import without_password

_REMEDY = "providers cannot deliver results: look at the proxy, the name and the port of POSTBACK_PUBLIC_URL"


async def check(patient: Patient) -> list[Finding]:
    """A round trip by way of whatever stands before the server, as a provider makes it."""
    url = patient.settings.public_url
    shown = without_password(url)
    try:
        health = await ask(patient, "the public URL", "GET", f"{url}/healthz")
        posted = await ask(
            patient,
            "the public URL",
            "POST",
            f"{url}/callbacks/invalid",
            {"content-type": "application/json"},
            b"{}",
        )
    except NoAnswer as silence:
        return [fail(f"{shown} does not answer: {silence}", _REMEDY)]
    if health.status_code != 200:
        return [fail(f"{shown}/healthz answers HTTP {health.status_code}", _REMEDY)]
    if not _is_our_404(posted):
        says = f"{shown}/callbacks/… answers HTTP {posted.status_code}, and not as Postback does"
        return [fail(says, _REMEDY)]
    return [_whose(patient, shown, health), *_remarks(url)]


def _whose(patient: Patient, shown: str, health: httpx.Response) -> Finding:
    """Whether this installation answered, by the keys that both have: any other answers in the same words."""
    mark = health.headers.get(installation.HEADER)
    try:
        keys = kept(patient)
    except (LedgerError, BadKeys):
        keys = None
    if keys is None or mark is None:
        missing = "our secret keys are not there" if keys is None else f"it sends no {installation.HEADER} header"
        return warn(
            f"Postback answers at {shown}, callbacks too; whether it is this installation cannot be told: {missing}",
            "run postback doctor with the server's settings; a proxy must keep that header, and an old server has none",
        )
    if mark not in keys.fingerprints:
        return fail(f"{shown} leads to another installation of Postback, or to one with other secret keys", _REMEDY)
    return ok(f"{shown} leads here, and Postback answers its callbacks")


def _is_our_404(answer: httpx.Response) -> bool:
    return answer.status_code == 404 and b"urn:postback:problem:not-found" in answer.content


def _remarks(url: str) -> list[Finding]:
    if is_loopback(url):
        return [
            warn(
                "only this machine can reach the public URL: no provider calls back, results are found by asking",
                "set POSTBACK_PUBLIC_URL to what the Internet reaches",
            )
        ]
    if url.startswith("http:"):
        return [warn("callbacks travel unencrypted, and whoever reads one can answer for it", "use https")]
    return []
