"""Small real PNG images, made from nothing but their name."""

import hashlib
import struct
import zlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SIDE = 64
_STRIPE = 16


def png(name: str) -> bytes:
    """A square of diagonal stripes in four colours that the name decides."""
    digest = hashlib.sha256(name.encode()).digest()
    colours = [digest[i : i + 3] for i in range(0, 12, 3)]
    rows = (b"".join(colours[(x + y) // _STRIPE % 4] for x in range(_SIDE)) for y in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


async def _image(request: Request) -> Response:
    return Response(png(request.path_params["name"]), media_type="image/png")


routes = [Route("/images/{name}.png", _image, name="image")]
