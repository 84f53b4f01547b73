"""The providers' accounts that this process may use, each call counted."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from dispatcher.client import ProviderClient
from ledger.tokens import CallbackTokens
from postback.metrics import Metrics
from postback.settings import Settings
from providers import PROVIDERS
from providers.protocol import Account, Listing, Order, Provider, Reading, Refusal

T = TypeVar("T")


class CountedClient(ProviderClient):
    """A client that tells the metrics what became of each call."""

    def __init__(self, provider: Provider, account: Account, blank: Callable[[bytes], bytes], metrics: Metrics) -> None:
        super().__init__(provider, account, blank)
        self._metrics = metrics

    async def submit(self, order: Order, callback_url: str | None) -> tuple[Reading | Refusal, bytes]:
        return await self._counted("submit", super().submit(order, callback_url), lambda answer: answer[0])

    async def fetch(self, task_id: str, model: str = "") -> tuple[Reading | Refusal, bytes]:
        return await self._counted("query", super().fetch(task_id, model), lambda answer: answer[0])

    async def fetch_many(
        self, task_ids: Sequence[str], model: str = ""
    ) -> Mapping[str, tuple[Reading | Refusal, bytes]]:
        if self.provider.batches is None or len(task_ids) == 1:
            return await super().fetch_many(task_ids, model)  # which is `fetch`, one by one
        return await self._counted("query", super().fetch_many(task_ids, model), _said_of_all)

    async def list_jobs(
        self, since: int, until: int, page: int, turn: Callable[[], Awaitable[None]]
    ) -> Listing | Refusal:
        listing = await super().list_jobs(since, until, page, turn)
        self._metrics.called(self.provider.name, "list", listing)  # most of the time it waited for its turn
        return listing

    async def cancel(self, task_id: str) -> Refusal | None:
        return await self._counted("cancel", super().cancel(task_id), lambda answer: answer)

    async def _counted(self, call: str, asking: Awaitable[T], said: Callable[[T], object]) -> T:
        began = time.perf_counter()
        answer = await asking
        self._metrics.called(self.provider.name, call, said(answer), time.perf_counter() - began)
        return answer


def open_clients(settings: Settings, tokens: CallbackTokens, metrics: Metrics) -> Mapping[str, ProviderClient]:
    """A client for each provider whose key is set."""
    accounts = {name: settings.account(name) for name in PROVIDERS}
    return {
        name: CountedClient(PROVIDERS[name], account, tokens.blank, metrics)
        for name, account in accounts.items()
        if account is not None
    }


def _said_of_all(answers: Mapping[str, tuple[Reading | Refusal, bytes]]) -> object:
    """A call that was refused was refused for all."""
    said = [one for one, _ in answers.values()]
    return said[0] if said and all(isinstance(one, Refusal) for one in said) else None
