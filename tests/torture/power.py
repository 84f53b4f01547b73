"""The scenario in which the power fails: what `tests.power` recorded is cut, and a server starts on what is left."""

from tests.power.cuts import losses
from tests.power.load import KEYS, run
from tests.power.recording import Disk, compiled, read
from tests.torture.world import World

JOBS = 36
CUTS = 20


def power_cut(world: World, seconds: float) -> str:
    """The power fails at many places of one recording, and what was not synced is gone. Needs gcc."""
    folder, log = world.home.parent, world.home.with_name("log")
    acknowledged = run(folder, compiled(folder), JOBS, world.wants.get("BREAK", ""))
    cuts, lost, _ = losses(log, acknowledged, CUTS)
    world.blows += ["power cut"] * cuts
    assert not lost, f"{len(lost)} of {cuts} power cuts lost something: {lost[0]}"
    _left_at_the_end(world, Disk.after(read(log)))
    world.accepted |= {one.job_id: one.job_id for one in acknowledged}
    world.settings["POSTBACK_SECRET_KEYS"] = KEYS
    world.process().start()
    return ""


def _left_at_the_end(world: World, disk: Disk) -> None:
    for path in world.home.glob("postback.sqlite3*"):
        path.unlink()
    for name, content in disk.left(None).items():
        (world.home / name).write_bytes(content)
