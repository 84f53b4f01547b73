"""A stand-in for a collector of traces, which reads OTLP with OpenTelemetry's own messages."""

import gzip
from dataclasses import dataclass, field
from typing import Any

from e2e.wire import Reply, Request, Stage, Wire
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as it came. Ids are hexadecimal; `parent` is empty for the first of a trace."""

    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    attributes: dict[str, Any] = field(hash=False)

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace}-{self.id}-01"


class Collector:
    """`services` are the names that the senders gave themselves."""

    def __init__(self, stage: Stage) -> None:
        self.spans: list[Seen] = []
        self.services: set[str] = set()
        self.wire = Wire(stage, self._answer)

    def of(self, job_id: str) -> dict[str, list[Seen]]:
        """The spans of a job, by name, as they began."""
        found: dict[str, list[Seen]] = {}
        for span in self.spans:
            if span.attributes.get("postback.job_id") == job_id:
                found.setdefault(span.name, []).append(span)
        return found

    async def _answer(self, request: Request) -> Reply | None:
        assert request.path == "/v1/traces"
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.spans += [_seen(span) for span in scope.spans]
        return Reply(200, b"", (("content-type", "application/x-protobuf"),))


def _seen(span: Any) -> Seen:
    attributes = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
    return Seen(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.status.code == span.status.STATUS_CODE_ERROR,
        attributes,
    )
