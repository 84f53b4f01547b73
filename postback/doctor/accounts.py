"""The providers' keys: one query each for a task that does not exist, which costs nothing."""

from postback.doctor.finding import Finding, fail, ok, warn
from postback.doctor.patient import Patient
from postback.doctor.wire import NoAnswer, ask
from providers import PROVIDERS
from providers.protocol import Answer, Refusal

NO_TASK = "00000000-0000-0000-0000-000000000000"


async def check(patient: Patient) -> list[Finding]:
    """Whether each provider that has a key takes it. No key is shown."""
    findings = [await _account(patient, name) for name in PROVIDERS if patient.settings.account(name) is not None]
    return findings or [warn("no provider has a key: no job can be sent", "set DASHSCOPE_API_KEY or ACEDATA_API_TOKEN")]


async def _account(patient: Patient, name: str) -> Finding:
    provider, account = PROVIDERS[name], patient.settings.account(name)
    assert account is not None
    call = provider.fetch(NO_TASK)
    headers = {**provider.headers(account), **call.headers}
    try:
        answer = await ask(patient, name, call.method, account.base_url + call.path, headers, call.body)
    except NoAnswer as silence:
        return warn(f"{name} cannot be reached from here: {silence}", "jobs wait until it can")
    names = {key.lower(): value for key, value in answer.headers.items()}
    said = provider.read_fetch(Answer(answer.status_code, names, answer.content))
    if answer.status_code in (401, 403):
        code = said.code if isinstance(said, Refusal) else str(answer.status_code)
        remedy = provider.hint(code) or "is the key right, and of the region that the base URL names?"
        return fail(f"{name} refuses the key: {code}", remedy)
    if isinstance(said, Refusal):
        return warn(f"{name} answers {said.code}", "is its base URL right? If so, try again later: it may be down")
    return ok(f"{name} takes the key")
