"""What the demo plays: a table of jobs, and what is expected of each.

The words in brackets are the simulator's: they ask it for a failure or a delay. A real provider would not know them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scene:
    """One job. `order` is the body of `POST /v1/jobs`; the other fields say how it has to end."""

    title: str
    about: str
    order: Mapping[str, Any]
    status: str = "succeeded"
    images: int = 0
    """How many images are made."""
    failed_images: int = 0
    """How many images fail although the job succeeds."""
    error: str | None = None
    """The error code of a job that fails."""

    @property
    def event(self) -> str:
        """The type of the webhook that tells the end."""
        return f"job.{self.status}"


STORY: tuple[Scene, ...] = (
    Scene(
        title="FLUX",
        about="one image from DashScope, which is asked until it is done",
        order={
            "model": "flux-schnell",
            "input": {"prompt": "奔跑小猫, a kitten that runs"},
            "parameters": {"size": "1024*1024"},
        },
        images=1,
    ),
    Scene(
        title="SD3.5",
        about="four images from DashScope, of which one fails",
        order={
            "model": "stable-diffusion-3.5-large",
            "input": {"prompt": "a lighthouse in a storm [partial=1] [delay=3s]"},
            "parameters": {"size": "1024*1024", "n": 4},
        },
        images=3,
        failed_images=1,
    ),
    Scene(
        title="generate",
        about="one image from AceData, which calls back when it is done",
        order={
            "provider": "acedata",
            "model": "flux-dev",
            "input": {"action": "generate", "prompt": "a white siamese cat"},
            "parameters": {"size": "1024x1024", "count": 1},
        },
        images=1,
    ),
    Scene(
        title="edit",
        about="an image changed by AceData",
        order={
            "provider": "acedata",
            "model": "flux-kontext-pro",
            "input": {
                "action": "edit",
                "prompt": "let the cat wear a red scarf",
                "image_url": "https://example.com/cat.png",
            },
        },
        images=1,
    ),
    Scene(
        title="refused",
        about="a job that DashScope's content check fails",
        order={
            "model": "flux-dev",
            "input": {"prompt": "something unseemly [fail=DataInspectionFailed]"},
        },
        status="failed",
        error="DataInspectionFailed",
    ),
)
