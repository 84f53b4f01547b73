"""Images that a page may load: those that we kept, from ourselves. A provider's URL is never loaded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.listing import Artifact
from postback.house import House
from receiver import media


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of ours: its path at this server, and whether a browser may draw it in a page."""

    path: str
    drawable: bool


def shown(house: House, artifacts: Iterable[Artifact]) -> Sequence[Picture]:
    """Where a page finds these."""
    return [Picture(path_of(house, one.id), one.media_type in media.SHOWN) for one in artifacts]


def path_of(house: House, artifact_id: str) -> str:
    """The path of an artifact's URL: the dashboard may be open at another name than the public one."""
    return house.links.url(artifact_id).removeprefix(house.settings.public_url)
