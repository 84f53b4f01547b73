"""What a stand-in provider answers, job by job, and what it has counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from e2e.wire import Reply


@dataclass(slots=True)
class Part:
    """One job's part of the script: replies in their order. After the last, a submission is answered as usual; a
    query with the last again."""

    submit: list[Reply | None] = field(default_factory=list)
    fetch: list[Reply | None] = field(default_factory=list)


class Script:
    """The parts of all jobs, by prompt, and how often each was submitted and asked about."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}
        self.submissions: Counter[str] = Counter()
        self.queries: Counter[str] = Counter()

    def write(self, prompt: str, submit: Sequence[Reply | None] = (), fetch: Sequence[Reply | None] = ()) -> None:
        self._parts[prompt] = Part(list(submit), list(fetch))

    def submitted(self, prompt: str, usual: Reply) -> Reply | None:
        """The reply to a submission."""
        self.submissions[prompt] += 1
        part = self._parts.get(prompt)
        return part.submit.pop(0) if part and part.submit else usual

    def asked(self, prompt: str, usual: Reply) -> Reply | None:
        """The reply to a query."""
        self.queries[prompt] += 1
        part = self._parts.get(prompt)
        if not part or not part.fetch:
            return usual
        return part.fetch.pop(0) if len(part.fetch) > 1 else part.fetch[0]

    def next_answer(self, prompt: str, usual: Reply) -> Reply | None:
        """What the next query would be answered."""
        part = self._parts.get(prompt)
        return part.fetch[0] if part and part.fetch else usual
