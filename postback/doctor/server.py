"""The server that the command line speaks to."""

from postback.cli.client import find_key
from postback.doctor.finding import Finding, fail, ok
from postback.doctor.patient import Patient
from postback.doctor.wire import NoAnswer, ask


async def check(patient: Patient) -> list[Finding]:
    """Whether it is ready, and takes our key."""
    url = patient.settings.url
    try:
        ready = await ask(patient, "the server", "GET", f"{url}/readyz")
    except NoAnswer as silence:
        return [
            fail(
                f"no server answers at {patient.server}: {silence}", "start it with postback serve, or set POSTBACK_URL"
            )
        ]
    if not _is_ours(ready.headers.get("content-type", ""), ready.text):
        return [
            fail(
                f"what answers at {patient.server} is not Postback (HTTP {ready.status_code})", "is POSTBACK_URL right?"
            )
        ]
    if ready.status_code != 200:
        return [fail(f"the server at {patient.server} is not ready: {ready.json()['detail']}", "its log says more")]
    patient.answers = True
    return [ok(f"the server at {patient.server} is ready"), await _key(patient)]


async def _key(patient: Patient) -> Finding:
    key = find_key(patient.settings)
    if key.value is None:
        return fail(f"there is no API key in {key.place}", "copy it from the server: POSTBACK_HOME/api.key there")
    headers = {"authorization": f"Bearer {key.value}"}
    try:
        answer = await ask(patient, "the server", "GET", f"{patient.settings.url}/v1/jobs?limit=1", headers)
    except NoAnswer as silence:
        return fail(f"the API does not answer: {silence}", "its log says more")
    match answer.status_code:
        case 200:
            return ok(f"it takes the API key of {key.place}")
        case 401:
            return fail(f"it refuses the API key of {key.place}", "is it that server's? It keeps it in its own home")
        case 404:
            return ok("it has not the role api: only health can be asked")
    return fail(f"the API answers HTTP {answer.status_code}", "its log says more")


def _is_ours(media_type: str, text: str) -> bool:
    return media_type.endswith("json") and ('"ready"' in text or "urn:postback:problem:" in text)
