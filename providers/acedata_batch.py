"""Asking AceData about several jobs at once.

POST {tasks of the service}   {action: "retrieve_batch", ids}   {items, count}
"""

from collections.abc import Mapping, Sequence
from typing import Any

from providers.acedata_answers import accepted, post, refused
from providers.acedata_errors import POLICY
from providers.acedata_reading import callback_of, read_record
from providers.acedata_services import service_of
from providers.fields import task_id_of
from providers.protocol import Answer, Call, Reading, Refusal, Unreadable


class AceDataBatches:
    """AceData's `retrieve_batch` as the protocol's `Batches`."""

    size = 20

    def group(self, model: str) -> str:
        return service_of(model).tasks

    def ask(self, task_ids: Sequence[str], model: str = "") -> Call:
        return post(service_of(model).tasks, {"action": "retrieve_batch", "ids": list(task_ids)})

    def read(self, answer: Answer) -> Mapping[str, tuple[Reading | Refusal, bytes]] | Refusal:
        body = accepted(answer)
        if isinstance(body, Refusal):
            return body
        if refusal := refused(answer, body):
            return refusal
        items = body.get("items")
        if not isinstance(items, list):
            return POLICY.unreadable(answer, "its items are not an array")
        said: dict[str, tuple[Reading | Refusal, bytes]] = {}
        for record in items:
            if not isinstance(record, dict):
                continue
            try:
                reading = read_record(record)
                if reading.task_id is not None:
                    said[reading.task_id] = (reading, callback_of(record) if reading.status.final else b"")
            except Unreadable as error:
                # One bad record says nothing about the others; its own job is asked about again, not given up.
                said |= {task_id: (POLICY.unreadable(answer, str(error)), b"") for task_id in _named(record)}
        return said


def _named(record: Mapping[str, Any]) -> list[str]:
    try:
        task_id = task_id_of(record, "id")
    except Unreadable:
        return []
    return [task_id] if task_id is not None else []
