"""DashScope's models and where each is submitted.

All of them share the submit header, `/tasks` and the states; only the path, the shape of the input and the place
of the result differ (Model Studio, API reference of each model).
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

MODELS = (
    "flux-schnell",
    "flux-dev",
    "flux-merged",
    "stable-diffusion-3.5-large",
    "stable-diffusion-3.5-large-turbo",
    "wanx-v1",
    "wanx2.0-t2i-turbo",
    "wanx2.1-t2i-turbo",
    "wanx2.1-t2i-plus",
    "wan2.2-t2i-flash",
    "wan2.2-t2i-plus",
    "wan2.5-t2i-preview",
    "qwen-image",
    "qwen-image-plus",
    "wanx2.1-imageedit",
    "wan2.5-i2i-preview",
    "wan2.6-t2i",
    "wan2.6-image",
)


@dataclass(frozen=True, slots=True)
class Service:
    """`models` are name patterns (`fnmatch`). `messages`: the input is a conversation instead of a prompt."""

    path: str
    models: tuple[str, ...]
    messages: bool = False
    prompt_required: bool = True


SERVICES = (
    Service("aigc/image2video/video-synthesis", ("wan*-kf2v*",), prompt_required=False),
    Service("aigc/video-generation/video-synthesis", ("wan*-t2v*",)),
    Service("aigc/video-generation/video-synthesis", ("wan*-i2v*", "wan*-r2v*"), prompt_required=False),
    Service("aigc/image-generation/generation", ("wan2.6-t2i*", "wan2.6-image*"), messages=True),
    Service("aigc/image2image/image-synthesis", ("wan*imageedit*", "wan*-i2i*")),
    Service(
        "aigc/text2image/image-synthesis",
        (
            "flux-schnell",
            "flux-dev",
            "flux-merged",
            "stable-diffusion-3.5-*",
            "stable-diffusion-v3.5-*",
            "wanx-v1",
            "wan*-t2i*",
            "qwen-image",
            "qwen-image-plus*",
        ),
    ),
)
TEXT_TO_IMAGE = SERVICES[-1]


def service_of(model: str) -> Service | None:
    """The row of that model; None where no row names it."""
    return next((row for row in SERVICES if any(fnmatchcase(model, pattern) for pattern in row.models)), None)
