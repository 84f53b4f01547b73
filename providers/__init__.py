"""Each provider's words: how a request is built and an answer is read. No I/O."""

from collections.abc import Mapping

from providers.acedata import AceData
from providers.dashscope import DashScope
from providers.protocol import Provider

PROVIDERS: Mapping[str, Provider] = {
    "dashscope": DashScope(),
    "acedata": AceData(),
}


def choose(model: str) -> Provider | None:
    """The first provider whose table has that model, for a job that names none; None where no table has it."""
    return next((provider for provider in PROVIDERS.values() if provider.has(model)), None)
