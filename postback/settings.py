"""Every setting, read once. Nothing else in Postback reads the environment.

A value comes from a flag, else from its variable, else (for secrets) from the file that `VARIABLE_FILE` names,
else from the default. An empty variable counts as unset.
"""

import difflib
import os
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ledger.keys import MIN_LENGTH
from postback.setting_types import (
    ArtifactPlace,
    BearerKey,
    Collector,
    DatabaseUrl,
    Folder,
    Format,
    Level,
    Milliseconds,
    Networks,
    PositiveMilliseconds,
    Quota,
    Rate,
    Schedule,
    Secret,
    SecretKeys,
    Size,
    Switch,
    WebUrl,
    sqlite_url,
)
from providers.protocol import Account

FROM_FILES = (
    "POSTBACK_API_KEY",
    "POSTBACK_SECRET_KEYS",
    "POSTBACK_DATABASE_URL",
    "DASHSCOPE_API_KEY",
    "ACEDATA_API_TOKEN",
    "POSTBACK_EVENTBRIDGE_TOKEN",
)
"""Variables that may be given as a file instead: `POSTBACK_API_KEY_FILE=/run/secrets/api_key`."""

_PREFIX = "POSTBACK_"
_SURROGATE = re.compile("[\ud800-\udfff]")


class SettingsError(ValueError):
    """One line for each bad variable: what it is and what is accepted. Never quotes a secret."""


class Pace(NamedTuple):
    """How fast a provider may be asked. Rates are a second; `max_in_flight` and `daily_images` 0 is no limit."""

    submit_rate: float
    max_in_flight: int
    query_rate: float
    daily_images: int = 0


def _server(data: dict[str, Any]) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(data["host"], data["host"])  # noqa: S104 (a wildcard is not an address)
    return f"http://[{host}]:{data['port']}" if ":" in host else f"http://{host}:{data['port']}"


def _data_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "postback"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "postback"


def _variable(name: str, accepts: str, default: Any = ..., **options: Any) -> Any:
    if "default_factory" not in options:
        options["default"] = default
    return Field(validation_alias=name, description=accepts, **options)


_DURATION = "a duration such as 500ms, 15s, 5m, 2h or 30d"
_URL = "an http:// or https:// URL without a query"
_RATE = "a number above 0, a second"
_COUNT = "a whole number, 0 for no limit"


class Settings(BaseModel):
    """The settings table of the documentation. Times are milliseconds, sizes bytes, URLs without a trailing slash.

    A field's `validation_alias` is its variable and its description says what is accepted. `load` reads the variables;
    made in any other way, these are the defaults and what is given.
    """

    model_config = ConfigDict(
        frozen=True,
        populate_by_name=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
    )

    home: Folder = _variable("POSTBACK_HOME", "a folder that can be written", default_factory=_data_folder)
    database_url: DatabaseUrl = _variable(
        "POSTBACK_DATABASE_URL",
        "sqlite:///path or postgresql://user:password@host/database",
        default_factory=lambda data: sqlite_url(data["home"] / "postback.sqlite3"),
        repr=False,
    )
    auto_migrate: Switch = _variable("POSTBACK_AUTO_MIGRATE", "1 or 0", True)
    host: str = _variable("POSTBACK_HOST", "a host name or address to listen on", "127.0.0.1", min_length=1)
    port: int = _variable("POSTBACK_PORT", "a port number from 0 to 65535", 8414, ge=0, le=65535)
    public_url: WebUrl = _variable("POSTBACK_PUBLIC_URL", _URL, default_factory=_server)
    receiver_url: WebUrl | None = _variable("POSTBACK_RECEIVER_URL", _URL, None)
    secret_keys: SecretKeys | None = _variable(
        "POSTBACK_SECRET_KEYS",
        f"texts of {MIN_LENGTH} or more characters, separated by commas, oldest first",
        None,
    )
    url: WebUrl = _variable("POSTBACK_URL", _URL, default_factory=_server)
    api_key: BearerKey | None = _variable("POSTBACK_API_KEY", "ASCII text without spaces", None)
    allow_networks: Networks = _variable(
        "POSTBACK_ALLOW_NETWORKS", "networks such as 127.0.0.0/8,10.0.0.0/8, separated by commas", ()
    )
    retry_schedule: Schedule = _variable(
        "POSTBACK_RETRY_SCHEDULE",
        "durations such as 0s,5s,5m, separated by commas",
        "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h",
    )
    delivery_timeout: PositiveMilliseconds = _variable("POSTBACK_DELIVERY_TIMEOUT", _DURATION, "15s")
    job_deadline: PositiveMilliseconds = _variable("POSTBACK_JOB_DEADLINE", _DURATION, "24h")
    circuit_failures: int = _variable("POSTBACK_CIRCUIT_FAILURES", "a whole number from 1", 50, ge=1)
    circuit_cooldown: PositiveMilliseconds = _variable("POSTBACK_CIRCUIT_COOLDOWN", _DURATION, "30s")
    artifacts: ArtifactPlace = _variable(
        "POSTBACK_ARTIFACTS",
        "a folder, or a bucket as s3://…, gs://… or az://…",
        default_factory=lambda data: str(data["home"] / "artifacts"),
    )
    archive: Switch = _variable("POSTBACK_ARCHIVE", "1 or 0", True)
    artifact_max_size: Size = _variable("POSTBACK_ARTIFACT_MAX_SIZE", "a size such as 50MiB", "50MiB")
    artifact_quota: Quota = _variable("POSTBACK_ARTIFACT_QUOTA", "a size such as 10GiB, or 0 for no limit", "0")
    max_body: Size = _variable("POSTBACK_MAX_BODY", "a size such as 512KiB or 1MiB", "1MiB")
    retention: Milliseconds = _variable("POSTBACK_RETENTION", f"{_DURATION}, or 0 to keep all", "30d")

    dashscope_api_key: Secret | None = _variable("DASHSCOPE_API_KEY", "a DashScope API key", None)
    dashscope_base_url: WebUrl = _variable("DASHSCOPE_HTTP_BASE_URL", _URL, "https://dashscope.aliyuncs.com/api/v1")
    dashscope_workspace_id: str | None = _variable("DASHSCOPE_WORKSPACE_ID", "a DashScope workspace id", None)
    dashscope_submit_rate: Rate = _variable("POSTBACK_DASHSCOPE_SUBMIT_RATE", _RATE, 2.0)
    dashscope_max_in_flight: int = _variable("POSTBACK_DASHSCOPE_MAX_IN_FLIGHT", _COUNT, 0, ge=0)
    dashscope_query_rate: Rate = _variable("POSTBACK_DASHSCOPE_QUERY_RATE", _RATE, 20.0)
    dashscope_daily_images: int = _variable("POSTBACK_DASHSCOPE_DAILY_IMAGES", _COUNT, 0, ge=0)
    reconcile: Switch = _variable("POSTBACK_DASHSCOPE_RECONCILE", "1 or 0", True)
    acedata_api_token: Secret | None = _variable("ACEDATA_API_TOKEN", "an AceData API token", None)
    acedata_base_url: WebUrl = _variable("ACEDATA_BASE_URL", _URL, "https://api.acedata.cloud")
    acedata_submit_rate: Rate = _variable("POSTBACK_ACEDATA_SUBMIT_RATE", _RATE, 5.0)
    acedata_max_in_flight: int = _variable("POSTBACK_ACEDATA_MAX_IN_FLIGHT", _COUNT, 10, ge=0)
    acedata_query_rate: Rate = _variable("POSTBACK_ACEDATA_QUERY_RATE", _RATE, 20.0)
    acedata_daily_images: int = _variable("POSTBACK_ACEDATA_DAILY_IMAGES", _COUNT, 0, ge=0)
    acedata_poll_after: Milliseconds = _variable("POSTBACK_ACEDATA_POLL_AFTER", _DURATION, "90s")
    log_level: Level = _variable("POSTBACK_LOG_LEVEL", "debug, info, warning or error", "info")
    log_format: Format = _variable("POSTBACK_LOG_FORMAT", "auto, json or text", "auto")
    otlp_endpoint: Collector | None = _variable("OTEL_EXPORTER_OTLP_ENDPOINT", _URL, None)
    otlp_traces_endpoint: Collector | None = _variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", _URL, None)
    eventbridge_token: BearerKey | None = _variable("POSTBACK_EVENTBRIDGE_TOKEN", "ASCII text without spaces", None)

    @property
    def api_key_file(self) -> Path:
        """Where the API key is kept that the server generates when none is set."""
        return self.home / "api.key"

    @property
    def secret_keys_file(self) -> Path:
        """Where the secret keys are kept that the server generates, on SQLite, when none are set."""
        return self.home / "secret.keys"

    def account(self, provider: str) -> Account | None:
        """The account that pays at `provider`; None when its key is not set or the provider is unknown."""
        match provider:
            case "dashscope" if self.dashscope_api_key:
                return Account(
                    self.dashscope_base_url, self.dashscope_api_key.get_secret_value(), self.dashscope_workspace_id
                )
            case "acedata" if self.acedata_api_token:
                return Account(self.acedata_base_url, self.acedata_api_token.get_secret_value())
        return None

    def pace(self, provider: str) -> Pace:
        """How fast `provider` may be asked. Raises `KeyError` for a provider without settings."""
        return {
            "dashscope": Pace(
                self.dashscope_submit_rate,
                self.dashscope_max_in_flight,
                self.dashscope_query_rate,
                self.dashscope_daily_images,
            ),
            "acedata": Pace(
                self.acedata_submit_rate,
                self.acedata_max_in_flight,
                self.acedata_query_rate,
                self.acedata_daily_images,
            ),
        }[provider]

    def with_port(self, port: int) -> Self:
        """The same settings on another port, with the URLs that follow from it."""
        here = _server({"host": self.host, "port": port})
        follows = {name: here for name in ("public_url", "url") if name not in self.model_fields_set}
        return self.model_copy(update={"port": port, **follows})


def load(**flags: Any) -> Settings:
    """The settings of this process. Flags are named as the fields and override; None means not given.

    Raises `SettingsError`.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate(_variables() | given)
    except ValidationError as invalid:
        raise SettingsError("\n".join(_complaints(invalid, given))) from None


def _variables() -> dict[str, Any]:
    """What the environment says, by field."""
    variables = {name: str(field.validation_alias) for name, field in Settings.model_fields.items()}
    found = {name: os.environ.get(variable) or _from_file(variable) for name, variable in variables.items()}
    # Bytes that are no text come as lone surrogates, and would fail wherever they are first written.
    if bad := [variables[name] for name, value in found.items() if value and _SURROGATE.search(value)]:
        raise SettingsError("\n".join(f"{variable} is not accepted: it must be text in UTF-8" for variable in bad))
    return {name: value for name, value in found.items() if value}


def _from_file(variable: str) -> str | None:
    """The secret in the file that `VARIABLE_FILE` points at, without the line end that editors leave."""
    path = os.environ.get(f"{variable}_FILE") if variable in FROM_FILES else None
    if not path:
        return None
    try:
        secret = Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"{variable}_FILE: cannot read {path}: {reason}") from None
    if not secret:
        raise SettingsError(f"{variable}_FILE: {path} is empty")
    return secret


def origin(name: str, flags: Collection[str] = ()) -> Literal["flag", "environment", "file", "default"]:
    """Where the value of the field `name` comes from, when `flags` are the fields that flags gave."""
    variable = str(Settings.model_fields[name].validation_alias)
    if name in flags:
        return "flag"
    if os.environ.get(variable):
        return "environment"
    return "file" if variable in FROM_FILES and os.environ.get(f"{variable}_FILE") else "default"


def misspelt() -> list[str]:
    """A sentence for each `POSTBACK_…` variable that is not a setting, with the name that was probably meant."""
    variables = [str(field.validation_alias) for field in Settings.model_fields.values()]
    variables += [f"{variable}_FILE" for variable in FROM_FILES]
    ours = [name.removeprefix(_PREFIX) for name in variables if name.startswith(_PREFIX)]
    strangers = sorted(name for name in os.environ if name.startswith(_PREFIX) and name not in variables)
    return [_stranger(name, difflib.get_close_matches(name.removeprefix(_PREFIX), ours, n=1)) for name in strangers]


def _stranger(name: str, close: list[str]) -> str:
    return f"{name} is not a setting" + (f"; did you mean {_PREFIX}{close[0]}?" if close else " and has no effect")


def _complaints(invalid: ValidationError, flags: dict[str, Any]) -> list[str]:
    bad = {str(error["loc"][0]): error for error in invalid.errors() if error["type"] != "default_factory_not_called"}
    return [_complaint(name, flags) for name in bad]


def _complaint(key: str, flags: dict[str, Any]) -> str:
    field_name, field = next(
        (name, field) for name, field in Settings.model_fields.items() if key in (name, field.validation_alias)
    )
    variable = str(field.validation_alias)
    where = f"--{field_name.replace('_', '-')}" if field_name in flags else variable
    given = flags.get(field_name, os.environ.get(variable, ""))
    shown = "" if variable in FROM_FILES or "@" in str(given) else f" is {str(given)!r}, which"
    return f"{where}{shown} is not accepted: it must be {field.description}"
