"""W3C Trace Context, "Traceparent Header": what is taken, and what counts as none."""

import pytest

from ledger import traces

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (GOOD, GOOD),
        (f" {GOOD}\t", GOOD),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"cc-{TRACE}-{PARENT}-01", GOOD),
        (f"cc-{TRACE}-{PARENT}-ff", GOOD),
        (f"cc-{TRACE}-{PARENT}-02-what-will-come", f"00-{TRACE}-{PARENT}-00"),
    ],
)
def test_good_ones_are_kept_in_the_version_that_is_known(header: str, kept: str) -> None:
    assert traces.read([header]) == kept
    assert traces.trace_id(kept) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-01-more",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\r\nx: y",
        f"0{chr(0x661)}-{TRACE}-{PARENT}-01",
    ],
)
def test_bad_ones_count_as_none(header: str) -> None:
    assert traces.read([header]) is None


def test_none_or_several_are_none() -> None:
    assert traces.read([]) is None
    assert traces.read([GOOD, GOOD]) is None
    assert traces.trace_id(None) is None


def test_without_a_collector_a_trace_is_handed_on() -> None:
    with traces.HandOn().span("step", GOOD, number=1) as span:
        span.tell(outcome="good")
        span.fail("or not")
    assert span.traceparent == GOOD
    assert traces.HandOn().span("step", None).traceparent is None
