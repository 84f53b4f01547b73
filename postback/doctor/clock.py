"""The clock: tokens are refused that are more than five minutes ahead, and receivers refuse old signatures."""

from ledger import facts
from ledger.clock import MINUTE, SECOND
from postback.doctor.finding import Finding, fail, ok, warn
from postback.doctor.patient import Patient

TOO_FAR = 5 * MINUTE
FAR = 30 * SECOND
_REMEDY = "set the clock: timedatectl set-ntp true, or whatever keeps it on this machine"


async def check(patient: Patient) -> list[Finding]:
    """Compares with every other clock that was seen: the database's, and the Date of what answered."""
    if patient.database is not None:
        before = patient.clock()
        theirs = await patient.database.read(facts.time)
        if theirs is not None:
            patient.clocks["PostgreSQL"] = theirs - (before + patient.clock()) // 2
    if not patient.clocks:
        return [warn("no other clock could be asked", "compare this machine's with one that you trust: date -u")]
    return [_judged(name, ahead) for name, ahead in sorted(patient.clocks.items())]


def _judged(name: str, ahead: int) -> Finding:
    seconds = abs(ahead) / SECOND
    says = f"this clock is {seconds:.0f} s {'behind' if ahead > 0 else 'ahead of'} that of {name}"
    if abs(ahead) >= TOO_FAR:
        return fail(says, _REMEDY)
    if abs(ahead) >= FAR:
        return warn(says, _REMEDY)
    return ok(f"this clock agrees with that of {name}")
