"""What an ordinary form sends."""

from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.requests import Request

from receiver import bodies
from receiver.problems import Problem

KIND = "application/x-www-form-urlencoded"
MAX_FIELDS = 200


async def read(request: Request, limit: int) -> FormData:
    """The fields of a form that was sent as `application/x-www-form-urlencoded`, its body at most `limit` bytes.

    Raises `Problem`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != KIND:
        raise Problem("unsupported-media-type", f"Send the form as {KIND}.")
    body = await bodies.read(request, limit)
    try:
        # Browsers end lines with CR LF in what is sent, whatever was typed.
        text = body.decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Problem("bad-request", "The form cannot be understood.") from None
    return FormData([(name, value.replace("\r\n", "\n")) for name, value in fields])
