"""OpenTelemetry, where it is switched on: the steps of a job's trace, sent to a collector (the extra `otel`).

Without it a trace is only handed on. Nothing of OpenTelemetry is imported before it is needed.
"""

import asyncio
import functools
import time
from types import TracebackType
from typing import Any, Protocol, Self

import structlog

from ledger import jobs
from ledger.errors import LedgerError
from ledger.ledger import Ledger
from ledger.parcels import Parcel
from ledger.settling import Settlement
from ledger.traces import HandOn, Span, Tracer
from postback.settings import Settings
from receiver.observer import Observer

log = structlog.get_logger()

FLUSH_MILLISECONDS = 3_000
"""How long a stopping process goes on trying to send the last spans."""


class Tracing(Tracer, Protocol):
    """A tracer that is opened and closed with the house."""

    def observer(self, ledger: Ledger, observer: Observer) -> Observer:
        """What is told to the observer, told as spans, too."""

    async def close(self) -> None:
        """Sends what is not yet sent."""


class Off(HandOn):
    """Nothing is collected."""

    def observer(self, ledger: Ledger, observer: Observer) -> Observer:
        return observer

    async def close(self) -> None: ...


def open_tracing(settings: Settings) -> Tracing:
    """Collects where the settings say where to send it. Without the extra it warns, and does not."""
    endpoint, base = settings.otlp_traces_endpoint, settings.otlp_endpoint
    if endpoint is None and base is not None:
        endpoint = f"{base.rstrip('/')}/v1/traces"
    if endpoint is None:
        return Off()
    if not endpoint.startswith(("http://", "https://")):
        log.warning("tracing_off", reason="OTEL_EXPORTER_OTLP_ENDPOINT is not an http:// or https:// URL")
        return Off()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        log.warning("tracing_off", reason="OpenTelemetry is not installed", remedy="pip install 'postback[otel]'")
        return Off()
    return Collected(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))


class Collected:
    """Spans go to `processor`, one of OpenTelemetry's. What the SDK reads from `OTEL_…` variables applies."""

    def __init__(self, processor: Any) -> None:
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider

        from postback import __version__

        ours = Resource.create({SERVICE_NAME: "postback", SERVICE_VERSION: __version__})
        self._provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("postback", __version__)

    def span(self, name: str, parent: str | None, **attributes: str | int | None) -> Span:
        return self.begun(name, parent, None, **attributes)

    def begun(self, name: str, parent: str | None, at: int | None, **attributes: str | int | None) -> "_Collecting":
        """As `span`, of one that began at `at`, in epoch nanoseconds."""
        span = self._tracer.start_span(name, context=_context(parent), start_time=at)
        return _Collecting(span, parent).told(attributes)

    def observer(self, ledger: Ledger, observer: Observer) -> Observer:
        return _Tracing(self, ledger, observer)

    async def close(self) -> None:
        # It waits for the collector, which may be away.
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, functools.partial(self._provider.force_flush, FLUSH_MILLISECONDS))
        await loop.run_in_executor(None, self._provider.shutdown)


class _Collecting:
    """An open span of OpenTelemetry's."""

    def __init__(self, span: Any, parent: str | None) -> None:
        self._span = span
        self.traceparent = parent
        context = span.get_span_context()
        if context.is_valid:  # it is not where OTEL_SDK_DISABLED is set
            self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def told(self, attributes: dict[str, str | int | None]) -> Self:
        """The span with these."""
        self._span.set_attributes({f"postback.{name}": one for name, one in attributes.items() if one is not None})
        return self

    def tell(self, **attributes: str | int | None) -> None:
        self.told(attributes)

    def fail(self, why: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_status(Status(StatusCode.ERROR, why))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.fail(kind.__name__)  # its message may quote what is no collector's business
        self.end()

    def end(self, at: int | None = None) -> None:
        """Ends it, at `at` in epoch nanoseconds or now."""
        self._span.end(at)


class _Tracing:
    """Tells an observer, and makes a span of each callback: only its job knows which trace it belongs to."""

    def __init__(self, collected: Collected, ledger: Ledger, observer: Observer) -> None:
        self._collected = collected
        self._ledger = ledger
        self._observer = observer
        self._under_way: set[asyncio.Task[None]] = set()

    def callback(self, job_id: str, verdict: str, found_by: str, seconds: float) -> None:
        self._observer.callback(job_id, verdict, found_by, seconds)
        began = time.time_ns() - int(seconds * 1e9)
        task = asyncio.create_task(self._trace(began, time.time_ns(), job_id, verdict, found_by))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def refused(self) -> None:
        self._observer.refused()

    def attempt(self, parcel: Parcel, settlement: Settlement) -> None:
        self._observer.attempt(parcel, settlement)

    async def _trace(self, began: int, ended: int, job_id: str, verdict: str, found_by: str) -> None:
        try:
            job = await self._ledger.read(jobs.get, job_id)
        except LedgerError:
            return  # it was erased meanwhile, or the database is away
        span = self._collected.begun("callback", job.traceparent, began, job_id=job_id, verdict=verdict)
        span.tell(found_by=found_by)
        span.end(ended)


def _context(parent: str | None) -> Any:
    from opentelemetry import trace
    from opentelemetry.context import Context

    if parent is None:
        return Context()
    _, trace_id, span_id, flags = parent.split("-")
    remote = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16)))
    return trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())
