"""How many files and connections a process may have open."""

from postback.doctor.finding import Finding, ok, warn
from postback.doctor.patient import Patient

ENOUGH = 4_096


async def check(patient: Patient) -> list[Finding]:
    """The limit of whoever runs this command: a service may have another."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows
        return []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= ENOUGH:
        return [ok("open files are limited to " + ("nothing" if soft == resource.RLIM_INFINITY else str(soft)))]
    return [
        warn(
            f"open files are limited to {soft} (here; a service may have another limit): each connection is one",
            f"ulimit -n {min(hard, 65_536) if hard > 0 else 65_536} before it starts, or LimitNOFILE=65536 in its unit",
        )
    ]
