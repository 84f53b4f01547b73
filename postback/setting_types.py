"""The types of settings: how each kind of value reads from its text, and how it is written back without secrets.

`model_dump(mode="json")` writes. What a type accepts is said at its field.
"""

import re
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, PlainSerializer, SecretStr

from ledger.keys import MIN_LENGTH
from postback import durations

REDACTED = "********"


def _milliseconds(value: Any) -> Any:
    return durations.parse(value) if isinstance(value, str) else value


def _list(value: Any) -> Any:
    """Splits at commas and line ends: a secrets file may hold one key a line."""
    if not isinstance(value, str):
        return value
    return [item.strip() for item in re.split(r"[,\n]", value) if item.strip()]


def _networks(value: Any) -> Any:
    return [ip_network(item) for item in _list(value)]


def _keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not keys or any(len(key.get_secret_value()) < MIN_LENGTH for key in keys):
        raise ValueError
    return keys


def _bearer(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
        raise ValueError
    return key


def _folder(path: Path) -> Path:
    return path.expanduser().absolute()


def _web_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError
    _ = parts.port  # raises ValueError when it is not a port
    return url.rstrip("/")


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, whatever its folders are called."""
    return f"sqlite:///{quote(str(path))}"


def _database_url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    scheme = "postgresql" if scheme == "postgres" else scheme
    if scheme not in ("sqlite", "postgresql") or rest in ("", "/"):
        raise ValueError
    return f"{scheme}://{rest}"


def _artifact_place(place: str) -> str:
    scheme, separator, _ = place.partition("://")
    if not separator:
        return str(_folder(Path(place)))
    if scheme not in ("s3", "gs", "az"):
        raise ValueError
    return place.rstrip("/")


def without_password(url: str) -> str:
    """A URL as it may be printed and logged."""
    url = re.sub(r"(?<=://)([^:/@]*):.*@", rf"\1:{REDACTED}@", url)
    return re.sub(r"(?<=[?&]password=)[^&]*", REDACTED, url)


def _redact(_: Any) -> str:
    return REDACTED


_Written = partial(PlainSerializer, return_type=str, when_used="json-unless-none")
_written_duration = _Written(durations.render)
_written_size = _Written(lambda size: size.human_readable(separator="").replace(".0", "") if size else "0")
_written_url = _Written(without_password)

Milliseconds = Annotated[int, BeforeValidator(_milliseconds), Field(ge=0), _written_duration]
PositiveMilliseconds = Annotated[int, BeforeValidator(_milliseconds), Field(gt=0), _written_duration]
Schedule = Annotated[
    tuple[Milliseconds, ...],
    BeforeValidator(_list),
    Field(min_length=1),
    _Written(lambda delays: ",".join(map(durations.render, delays))),
]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Calls a second."""
Size = Annotated[ByteSize, Field(gt=0), _written_size]
Quota = Annotated[ByteSize, Field(ge=0), _written_size]
"""A size; 0 is no limit."""
Switch = Annotated[bool, _Written(lambda on: "1" if on else "0")]
Level = Literal["debug", "info", "warning", "error"]
"""The least important lines that are logged."""
Format = Literal["auto", "json", "text"]
"""How a line of the log is written; `auto` is text on a terminal, and JSON anywhere else."""
Collector = Annotated[str, _written_url]
"""Where spans are sent. Other programs read the same variable, so a bad one stops nothing."""
Folder = Annotated[Path, AfterValidator(_folder)]
WebUrl = Annotated[str, AfterValidator(_web_url), _written_url]
DatabaseUrl = Annotated[str, AfterValidator(_database_url), _written_url]
ArtifactPlace = Annotated[str, AfterValidator(_artifact_place)]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...],
    BeforeValidator(_networks),
    _Written(lambda networks: ",".join(map(str, networks))),
]
Secret = Annotated[SecretStr, _Written(_redact)]
BearerKey = Annotated[SecretStr, AfterValidator(_bearer), _Written(_redact)]
SecretKeys = Annotated[tuple[SecretStr, ...], BeforeValidator(_list), AfterValidator(_keys), _Written(_redact)]
