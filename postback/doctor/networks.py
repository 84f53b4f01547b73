"""Which private networks deliveries may reach."""

from postback.doctor.finding import Finding, ok, warn
from postback.doctor.patient import Patient
from postback.doctor.wire import is_loopback


async def check(patient: Patient) -> list[Finding]:
    """On a server for others, whoever may register a subscriber may have it call into these networks."""
    allowed = patient.settings.allow_networks
    if not allowed:
        return [ok("deliveries reach public addresses only")]
    named = ", ".join(map(str, allowed))
    if is_loopback(patient.settings.public_url):
        return [ok(f"deliveries may also reach {named}")]
    return [
        warn(
            f"deliveries may also reach {named}, and this server has a public URL",
            "whoever has the API key can have these called: clear POSTBACK_ALLOW_NETWORKS unless that is meant",
        )
    ]
