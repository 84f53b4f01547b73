"""One body that a provider sends, and what must come out of it. Pure data: it knows nothing of Postback."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent

Error = tuple[str, str]
"""Code and message."""


@dataclass(frozen=True)
class Sample:
    """`kind`: the answer to a submission (`submit`; `error` where it refuses), to a query (`fetch`), or a callback.

    `job` is the state that a fresh job with this `task_id` has afterwards: `queued` for a refusal to try again,
    `unconfirmed` where nobody can know, `lost` where the provider does not know the job.
    """

    name: str
    provider: str
    kind: Literal["submit", "error", "fetch", "callback"]
    model: str
    job: str
    http_status: int = 200
    file: str = ""
    text: str = ""
    input: Mapping[str, Any] = field(default_factory=lambda: {"prompt": "奔跑小猫"})
    parameters: Mapping[str, Any] = field(default_factory=dict)
    task_id: str | None = None
    results: tuple[tuple[str | None, Error | None], ...] = ()
    """For each image its URL, or the error in its place."""
    metrics: tuple[int | None, int | None, int | None] | None = None
    """Total, succeeded, failed."""
    image_count: int | None = None
    error: Error | None = None
    warned: bool = False
    repaired: str = ""
    """What of the document's text was not JSON and was mended in the file."""

    @property
    def body(self) -> bytes:
        return (FOLDER / self.file).read_bytes() if self.file else self.text.encode()
