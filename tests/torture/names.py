"""Names that resolve as a test says, for the process that was started with them."""

import socket
from typing import Any


def apply(table: str) -> None:
    """`inside.example=127.0.0.1,…`: what the resolver answers. Other names are asked as always."""
    known = dict(entry.split("=") for entry in table.split(","))
    ask = socket.getaddrinfo

    def answered(host: Any, *arguments: Any, **options: Any) -> Any:
        return ask(known.get(host.decode() if isinstance(host, bytes) else host, host), *arguments, **options)

    socket.getaddrinfo = answered
