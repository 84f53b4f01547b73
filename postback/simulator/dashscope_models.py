"""Which model is served on which of DashScope's paths, and where its prompt is.

Source: the table "Sibling models" of the provider notes; the model names are those of DashScope's documents.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from postback.simulator import script

TEXT_TO_IMAGE = "aigc/text2image/image-synthesis"
GENERATION = "aigc/image-generation/generation"
VIDEO = ("aigc/video-generation/video-synthesis", "aigc/image2video/video-synthesis")

SERVICES: dict[str, tuple[str, ...]] = {
    TEXT_TO_IMAGE: (
        "flux-schnell",
        "flux-dev",
        "flux-merged",
        "stable-diffusion-3.5-large",
        "stable-diffusion-3.5-large-turbo",
        "wanx-v1",
        "wanx2.?-t2i*",
        "wan2.2-t2i*",
        "wan2.5-t2i*",
        "qwen-image",
        "qwen-image-plus",
    ),
    "aigc/image2image/image-synthesis": ("*imageedit*", "wan2.5-i2i*"),
    GENERATION: ("wan2.6-t2i*", "wan2.6-image*"),
    VIDEO[0]: ("wan*-t2v*", "wan*-i2v*", "wan*-r2v*"),
    VIDEO[1]: ("*kf2v*",),
}
"""By path under `/services/`: patterns of model names."""


def serves(service: str, model: str) -> bool:
    """Whether this path takes this model; every path takes the simulator's own models."""
    patterns = SERVICES.get(service, ())
    return bool(patterns) and (model in script.MODELS or any(fnmatchcase(model, each) for each in patterns))


def prompt(service: str, body: Mapping[str, Any]) -> str:
    """The prompt of a request body; empty if there is none."""
    given = body.get("input")
    if not isinstance(given, dict):
        return ""
    text = _first_text(given.get("messages")) if service == GENERATION else given.get("prompt")
    return text if isinstance(text, str) else ""


def _first_text(messages: object) -> object:
    for message in messages if isinstance(messages, list) else []:
        parts = message.get("content") if isinstance(message, dict) else None
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, dict) and "text" in part:
                return part["text"]
    return None
