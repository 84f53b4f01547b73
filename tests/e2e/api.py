"""A client of the management API that knows its documentation only."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2 as httpx
from e2e.eventually import eventually


class Api:
    """Calls under `/v1`. An answer with another status than the expected one fails the test."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False)

    def __call__(
        self, method: str, path: str, body: Any = None, *, expect: int = 200, headers: Mapping[str, str] | None = None
    ) -> Any:
        answer = self.http.request(method, f"/v1{path}", json=body, headers=headers)
        assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def all(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Every row of a list, over its pages."""
        return list(self._pages(path, {"limit": 250, **query}))

    def submit(self, model: str, prompt: str, **fields: Any) -> dict[str, Any]:
        order = {"model": model, "input": {"prompt": prompt, **fields.pop("input", {})}, **fields}
        job: dict[str, Any] = self("POST", "/jobs", order, expect=202)
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self("GET", f"/jobs/{job_id}")
        return job

    def reached(self, job_id: str, status: str, within: float = 15) -> dict[str, Any]:
        """The job, once it has that status."""

        def look() -> dict[str, Any]:
            job = self.job(job_id)
            assert job["status"] == status, job
            return job

        return eventually(look, within)

    def timeline(self, job_id: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self("GET", f"/jobs/{job_id}/timeline")["data"]
        return entries

    def _pages(self, path: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        while True:
            answer = self.http.get(f"/v1{path}", params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            yield from page["data"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]
