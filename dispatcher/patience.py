"""How long the dispatcher waits for others, and how long its own work may take."""

from ledger.clock import SECOND

TIMEOUT = 20
"""Seconds for a whole exchange: connect, send, and the answer's last byte."""

CONNECT_TIMEOUT = 8
"""Seconds to connect, and again for TLS: together less than `TIMEOUT`, so that a provider that drops every packet
is known not to have started anything."""

POLL_LEASE = (2 * TIMEOUT + 10) * SECOND
"""How long asking and telling the receiver may take."""
