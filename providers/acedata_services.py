"""AceData's image services, and where each model is submitted and asked about.

All of them share the callback, the record and `data[].image_url`; only the paths differ, and whether the request
names an `action`. Sources: the OpenAPI files in AceDataCloud/SDK (`analysis/specs/flux.json`, `nano-banana.json`,
`seedream.json`); AceDataCloud/NanoBananaMCP, SeedreamMCP and QwenImageMCP (`core/client.py`, `core/types.py`);
AceDataCloud/APIs (`seedream/docs/`, `qwen-image/docs/`).
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

DEFAULT_MODEL = "flux-dev"


@dataclass(frozen=True, slots=True)
class Service:
    """`models` are name patterns (`fnmatch`). `action`: the request says whether to generate or to edit."""

    images: str
    tasks: str
    models: tuple[str, ...]
    action: bool = True


FLUX = Service(
    "/flux/images",
    "/flux/tasks",
    (
        DEFAULT_MODEL,
        "flux-pro",
        "flux-kontext-pro",
        "flux-kontext-max",
        "flux-2-flex",
        "flux-2-pro",
        "flux-2-max",
    ),
)
"""Also for every model that no row names."""

SERVICES = (
    FLUX,
    Service("/nano-banana/images", "/nano-banana/tasks", ("nano-banana*",)),
    Service("/seedream/images", "/seedream/tasks", ("doubao-seedream-*", "doubao-seededit-*"), action=False),
    Service("/qwen-image/images", "/qwen-image/tasks", ("qwen-image-3*",), action=False),
)

MODELS = (
    *FLUX.models,
    "nano-banana",
    "nano-banana-2-lite",
    "nano-banana-2",
    "nano-banana-2.1",
    "nano-banana-pro",
    "nano-banana:official",
    "nano-banana-2-lite:official",
    "nano-banana-2:official",
    "nano-banana-pro:official",
    "doubao-seedream-5-0-pro-260628",
    "doubao-seedream-5-0-260128",
    "doubao-seedream-5.0-lite",
    "doubao-seedream-4-5-251128",
    "doubao-seedream-4-0-250828",
    "doubao-seedream-3-0-t2i-250415",
    "doubao-seededit-3-0-i2i-250628",
    "qwen-image-3.0",
    "qwen-image-3.0-pro",
)


def named_service(model: str) -> Service | None:
    """The row that names that model; None where none does."""
    return next((row for row in SERVICES if any(fnmatchcase(model, pattern) for pattern in row.models)), None)


def service_of(model: str) -> Service:
    """Where that model is sent."""
    return named_service(model) or FLUX
