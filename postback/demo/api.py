"""Postback's HTTP API, as any user's program would call it."""

from types import TracebackType
from typing import Any, Self

import httpx2 as httpx

from ledger.errors import LedgerError


class ApiFailed(LedgerError):
    """The API did not do what the demo asked."""


class Api:
    """Speaks to one server; use it as a context manager. Its methods raise `ApiFailed` for everything but a 2xx."""

    def __init__(self, url: str, api_key: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {api_key}"}, timeout=30, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET /v1/path."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        """POST /v1/path with a JSON body."""
        return await self._ask("POST", path, json=body)

    async def delete(self, path: str) -> None:
        """DELETE /v1/path."""
        await self._ask("DELETE", path)

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = await self._http.request(method, f"/v1/{path}", **request)
        except httpx.TransportError as error:
            raise ApiFailed(f"{method} /v1/{path} was not answered: {error}") from None
        if not answer.is_success:
            raise ApiFailed(f"{method} /v1/{path} was answered {answer.status_code}: {answer.text}")
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document
