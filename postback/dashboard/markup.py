"""Pieces of HTML that need to know the present time."""

from typing import TYPE_CHECKING

from markupsafe import Markup

from ledger.clock import parse_rfc3339, rfc3339
from ledger.errors import Damaged
from postback.dashboard import words

if TYPE_CHECKING:
    from jinja2.runtime import Context

_DAMAGED = Markup('<span class="text-bad">damaged</span>')
_NEVER = Markup('<span class="muted">–</span>')


def time(context: "Context", at: int | str | None) -> Markup:
    """When something was, relative to now and exactly: milliseconds or RFC 3339; None is a dash."""
    if at is None:
        return _NEVER
    try:
        moment = _milliseconds(at)
        exact = rfc3339(moment)
    except (Damaged, ValueError, TypeError):
        return _DAMAGED
    said = words.distance(context["now"] - moment)
    return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(exact, _readable(exact), said)


def countdown(context: "Context", at: int | str | None) -> Markup:
    """When something will be, counted down where scripts run; None is a dash."""
    if at is None:
        return _NEVER
    try:
        moment = _milliseconds(at)
        exact = rfc3339(moment)
    except (Damaged, ValueError, TypeError):
        return _DAMAGED
    left = moment - context["now"]
    said = f"in {words.duration(left // 1_000 * 1_000)}" if left >= 1_000 else "due now"
    return Markup('<time datetime="{}" title="{}" data-countdown>{}</time>').format(exact, _readable(exact), said)


def _milliseconds(at: int | str) -> int:
    return at if isinstance(at, int) else parse_rfc3339(at)


def _readable(exact: str) -> str:
    return exact.replace("T", " ").replace("Z", " UTC")
