"""What to do about an attempt that failed: one plain sentence for each thing that people meet."""

from collections.abc import Mapping

_CLASSES: Mapping[str, str] = {
    "dns": "Check the host name for a typing error, and that its record is public: "
    "`dig NAME` must answer from outside your network too.",
    "connect": "Check that the server is running, listens on this port, and that no firewall stands before it.",
    "tls": "Check the certificate: it must be valid today, made out to this host name, and sent with its intermediate "
    "certificates; on a port without TLS the URL begins with http://.",
    "timeout": "Answer with a 2xx at once and do the work afterwards; if no connection came at all, look for a "
    "firewall that drops packets silently.",
    "guard": "Give a URL that leads to a public address; addresses that are private on purpose are allowed with "
    "POSTBACK_ALLOW_NETWORKS.",
    "response": "Check that the port speaks HTTP, and that no proxy before the application ends or garbles its answer.",
}

UNSIGNED = "the delivery cannot be signed"
"""How the error of an attempt begins that never left, because its secrets cannot be read."""

_UNSIGNED = (
    "Check that POSTBACK_SECRET_KEYS still holds the key that this subscriber's secret was stored with, "
    "or give the subscriber a new secret."
)

_STATUSES: Mapping[int, str] = {
    401: "The endpoint wants credentials: let it accept unauthenticated POSTs and verify their signature, or give the "
    "subscriber an Authorization header.",
    403: "A firewall, a bot protection or a CSRF check turned the request away: let POSTs to this path through and "
    "verify their signature instead.",
    404: "Check the path of the URL; nothing is there.",
    405: "Check the path and its methods: notifications are sent with POST.",
    410: "The endpoint says that it is gone, which disables a subscriber: give it a URL that is there, and enable it "
    "again if it was disabled.",
    413: 'The body is too large for the endpoint: raise its limit, or set the subscriber to payload "thin".',
    415: "Let the endpoint accept Content-Type: application/json.",
    429: "The endpoint asks for fewer requests: set the subscriber's rate_limit, or lower its max_in_flight.",
    503: "The endpoint is overloaded or down: look at its log, and set the subscriber's rate_limit or lower its "
    "max_in_flight if it comes with load.",
}

_REDIRECT = "Give the subscriber the final URL: redirects are not followed."
_CLIENT = "The endpoint's own check refused it; often that is the signature: see docs/verify.md."
_SERVER = "The endpoint failed: its own log says why."
_OTHER = "Let the endpoint answer with a status from 200 to 299 when it has taken the notification."


def advise(error_class: str | None, status_code: int | None, error: str | None) -> str | None:
    """What to do about an attempt with this outcome; None when it succeeded.

    `error` is the attempt's own message, which tells cases of one class apart.
    """
    if error_class is None:
        return None
    if error_class != "status" or status_code is None:
        if error_class == "guard" and error is not None and error.startswith(UNSIGNED):
            return _UNSIGNED
        return _CLASSES.get(error_class, _OTHER)
    return _STATUSES.get(status_code) or _of_kind(status_code)


def _of_kind(status_code: int) -> str:
    match status_code // 100:
        case 3:
            return _REDIRECT
        case 4:
            return _CLIENT
        case 5:
            return _SERVER
        case _:
            return _OTHER
