"""Room on the disks that are written to."""

import shutil
from pathlib import Path

from postback.doctor.finding import Finding, fail, ok, warn
from postback.doctor.patient import Patient

LITTLE = 1 << 30
NEXT_TO_NOTHING = 64 << 20


async def check(patient: Patient) -> list[Finding]:
    """The home folder, and the folders of the database and of the kept images where they are elsewhere."""
    folders = {"home": patient.settings.home}
    if patient.file is not None:
        folders["database"] = patient.file.parent
    if "://" not in patient.settings.artifacts and patient.settings.archive:
        folders["kept images"] = Path(patient.settings.artifacts)
    disks: dict[int, Finding] = {}
    for what, folder in folders.items():
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        disks.setdefault(there.stat().st_dev, _judged(what, there))
    return list(disks.values())


def _judged(what: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    says = f"{free // 1_000_000} MB are free in {folder} ({what})"
    remedy = "make room, lower POSTBACK_RETENTION, or set POSTBACK_ARTIFACT_QUOTA"
    if free < NEXT_TO_NOTHING:
        return fail(says, remedy)
    return warn(says, remedy) if free < LITTLE else ok(says)
