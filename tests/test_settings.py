import os
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from postback import settings
from postback.settings import Pace, Settings, SettingsError, load
from providers.protocol import Account

DEFAULTS = {
    "POSTBACK_AUTO_MIGRATE": "1",
    "POSTBACK_HOST": "127.0.0.1",
    "POSTBACK_PORT": 8414,
    "POSTBACK_PUBLIC_URL": "http://127.0.0.1:8414",
    "POSTBACK_RECEIVER_URL": None,
    "POSTBACK_SECRET_KEYS": None,
    "POSTBACK_URL": "http://127.0.0.1:8414",
    "POSTBACK_API_KEY": None,
    "POSTBACK_ALLOW_NETWORKS": "",
    "POSTBACK_RETRY_SCHEDULE": "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h",
    "POSTBACK_DELIVERY_TIMEOUT": "15s",
    "POSTBACK_JOB_DEADLINE": "24h",
    "POSTBACK_CIRCUIT_FAILURES": 50,
    "POSTBACK_CIRCUIT_COOLDOWN": "30s",
    "POSTBACK_ARCHIVE": "1",
    "POSTBACK_ARTIFACT_MAX_SIZE": "50MiB",
    "POSTBACK_ARTIFACT_QUOTA": "0",
    "POSTBACK_MAX_BODY": "1MiB",
    "POSTBACK_RETENTION": "30d",
    "DASHSCOPE_API_KEY": None,
    "DASHSCOPE_HTTP_BASE_URL": "https://dashscope.aliyuncs.com/api/v1",
    "DASHSCOPE_WORKSPACE_ID": None,
    "ACEDATA_API_TOKEN": None,
    "ACEDATA_BASE_URL": "https://api.acedata.cloud",
    "POSTBACK_DASHSCOPE_SUBMIT_RATE": 2,
    "POSTBACK_DASHSCOPE_MAX_IN_FLIGHT": 0,
    "POSTBACK_DASHSCOPE_QUERY_RATE": 20,
    "POSTBACK_DASHSCOPE_DAILY_IMAGES": 0,
    "POSTBACK_DASHSCOPE_RECONCILE": "1",
    "POSTBACK_ACEDATA_SUBMIT_RATE": 5,
    "POSTBACK_ACEDATA_MAX_IN_FLIGHT": 10,
    "POSTBACK_ACEDATA_QUERY_RATE": 20,
    "POSTBACK_ACEDATA_DAILY_IMAGES": 0,
    "POSTBACK_ACEDATA_POLL_AFTER": "90s",
    "POSTBACK_LOG_LEVEL": "info",
    "POSTBACK_LOG_FORMAT": "auto",
    "OTEL_EXPORTER_OTLP_ENDPOINT": None,
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": None,
    "POSTBACK_EVENTBRIDGE_TOKEN": None,
}
"""The settings table of the design; the paths below `POSTBACK_HOME` have a test of their own."""

READ: list[tuple[str, str, str, object]] = [
    ("POSTBACK_HOME", "/srv/postback", "home", Path("/srv/postback")),
    ("POSTBACK_DATABASE_URL", "postgres://u:p@db/postback", "database_url", "postgresql://u:p@db/postback"),
    ("POSTBACK_AUTO_MIGRATE", "0", "auto_migrate", False),
    ("POSTBACK_HOST", "0.0.0.0", "host", "0.0.0.0"),
    ("POSTBACK_PORT", "80", "port", 80),
    ("POSTBACK_PUBLIC_URL", "https://hooks.example.com/pb/", "public_url", "https://hooks.example.com/pb"),
    ("POSTBACK_RECEIVER_URL", "http://receiver:8414", "receiver_url", "http://receiver:8414"),
    ("POSTBACK_URL", "http://elsewhere:1", "url", "http://elsewhere:1"),
    (
        "POSTBACK_ALLOW_NETWORKS",
        "127.0.0.0/8, fd00::/8",
        "allow_networks",
        (ip_network("127.0.0.0/8"), ip_network("fd00::/8")),
    ),
    ("POSTBACK_RETRY_SCHEDULE", "0s, 1.5s,2h", "retry_schedule", (0, 1_500, 7_200_000)),
    ("POSTBACK_DELIVERY_TIMEOUT", "500ms", "delivery_timeout", 500),
    ("POSTBACK_JOB_DEADLINE", "2h", "job_deadline", 7_200_000),
    ("POSTBACK_CIRCUIT_FAILURES", "3", "circuit_failures", 3),
    ("POSTBACK_CIRCUIT_COOLDOWN", "1m", "circuit_cooldown", 60_000),
    ("POSTBACK_ARTIFACTS", "s3://bucket/images", "artifacts", "s3://bucket/images"),
    ("POSTBACK_ARCHIVE", "0", "archive", False),
    ("POSTBACK_ARTIFACT_MAX_SIZE", "2MiB", "artifact_max_size", 2_097_152),
    ("POSTBACK_ARTIFACT_QUOTA", "1GiB", "artifact_quota", 1_073_741_824),
    ("POSTBACK_MAX_BODY", "512KiB", "max_body", 524_288),
    ("POSTBACK_RETENTION", "0", "retention", 0),
    ("DASHSCOPE_HTTP_BASE_URL", "http://localhost:8415/api/v1/", "dashscope_base_url", "http://localhost:8415/api/v1"),
    ("DASHSCOPE_WORKSPACE_ID", "ws-1", "dashscope_workspace_id", "ws-1"),
    ("ACEDATA_BASE_URL", "http://localhost:8415", "acedata_base_url", "http://localhost:8415"),
    ("POSTBACK_DASHSCOPE_SUBMIT_RATE", "0.5", "dashscope_submit_rate", 0.5),
    ("POSTBACK_DASHSCOPE_MAX_IN_FLIGHT", "7", "dashscope_max_in_flight", 7),
    ("POSTBACK_DASHSCOPE_QUERY_RATE", "9", "dashscope_query_rate", 9.0),
    ("POSTBACK_DASHSCOPE_DAILY_IMAGES", "500", "dashscope_daily_images", 500),
    ("POSTBACK_DASHSCOPE_RECONCILE", "0", "reconcile", False),
    ("POSTBACK_ACEDATA_SUBMIT_RATE", "1", "acedata_submit_rate", 1.0),
    ("POSTBACK_ACEDATA_MAX_IN_FLIGHT", "0", "acedata_max_in_flight", 0),
    ("POSTBACK_ACEDATA_QUERY_RATE", "1", "acedata_query_rate", 1.0),
    ("POSTBACK_ACEDATA_DAILY_IMAGES", "1", "acedata_daily_images", 1),
    ("POSTBACK_ACEDATA_POLL_AFTER", "5s", "acedata_poll_after", 5_000),
    ("POSTBACK_LOG_LEVEL", "warning", "log_level", "warning"),
    ("POSTBACK_LOG_FORMAT", "json", "log_format", "json"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "otlp_endpoint", "http://localhost:4318"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317", "otlp_traces_endpoint", "collector:4317"),
]

SECRETS = {
    "POSTBACK_DATABASE_URL": "postgresql://u:hidden-password@db/postback",
    "POSTBACK_SECRET_KEYS": "hidden-sixteen-characters,hidden-another-sixteen",
    "POSTBACK_API_KEY": "hidden-key",
    "DASHSCOPE_API_KEY": "hidden-sk",
    "ACEDATA_API_TOKEN": "hidden-token",
    "POSTBACK_EVENTBRIDGE_TOKEN": "hidden-eventbridge-token",
}

BAD = [
    ("POSTBACK_PORT", "70000"),
    ("POSTBACK_PORT", "http"),
    ("POSTBACK_PUBLIC_URL", "hooks.example.com"),
    ("POSTBACK_PUBLIC_URL", "ftp://hooks.example.com"),
    ("POSTBACK_PUBLIC_URL", "http://hooks.example.com:port"),
    ("POSTBACK_PUBLIC_URL", "https://hooks.example.com/?a=b"),
    ("POSTBACK_ALLOW_NETWORKS", "10.0.0.0/33"),
    ("POSTBACK_ALLOW_NETWORKS", "10.0.0.1/8"),
    ("POSTBACK_RETRY_SCHEDULE", ","),
    ("POSTBACK_RETRY_SCHEDULE", "5s,soon"),
    ("POSTBACK_DELIVERY_TIMEOUT", "0s"),
    ("POSTBACK_JOB_DEADLINE", "24"),
    ("POSTBACK_CIRCUIT_FAILURES", "0"),
    ("POSTBACK_ARTIFACTS", "ftp://bucket"),
    ("POSTBACK_ARTIFACT_MAX_SIZE", "0"),
    ("POSTBACK_ARTIFACT_QUOTA", "-1"),
    ("POSTBACK_MAX_BODY", "big"),
    ("POSTBACK_MAX_BODY", "0"),
    ("POSTBACK_RETENTION", "-1d"),
    ("POSTBACK_AUTO_MIGRATE", "maybe"),
    ("POSTBACK_DASHSCOPE_SUBMIT_RATE", "0"),
    ("POSTBACK_ACEDATA_QUERY_RATE", "nan"),
    ("POSTBACK_ACEDATA_MAX_IN_FLIGHT", "-1"),
    ("POSTBACK_DASHSCOPE_DAILY_IMAGES", "-1"),
    ("POSTBACK_ACEDATA_DAILY_IMAGES", "none"),
    ("POSTBACK_DASHSCOPE_RECONCILE", "maybe"),
    ("POSTBACK_ARCHIVE", "maybe"),
    ("POSTBACK_LOG_LEVEL", "loud"),
    ("POSTBACK_LOG_FORMAT", "xml"),
    ("POSTBACK_DATABASE_URL", "mysql://u:hidden@db/x"),
    ("POSTBACK_DATABASE_URL", "sqlite:///"),
    ("POSTBACK_SECRET_KEYS", "hidden-short"),
    ("POSTBACK_SECRET_KEYS", "a-long-enough-one,hidden-short"),
    ("POSTBACK_API_KEY", "hidden with spaces"),
    ("POSTBACK_EVENTBRIDGE_TOKEN", "hidden with spaces"),
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("POSTBACK_", "DASHSCOPE_", "ACEDATA_", "OTEL_")):
            monkeypatch.delenv(name)


def written(loaded: Settings) -> dict[str, object]:
    fields = type(loaded).model_fields
    return {str(fields[name].validation_alias): value for name, value in loaded.model_dump(mode="json").items()}


def test_defaults() -> None:
    values = written(load())
    assert {name: values[name] for name in DEFAULTS} == DEFAULTS
    assert values.keys() - DEFAULTS == {"POSTBACK_HOME", "POSTBACK_DATABASE_URL", "POSTBACK_ARTIFACTS"}


def test_home_holds_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTBACK_HOME", str(tmp_path))
    loaded = load()
    assert loaded.database_url == f"sqlite:///{tmp_path}/postback.sqlite3"
    assert loaded.artifacts == f"{tmp_path}/artifacts"
    assert loaded.api_key_file == tmp_path / "api.key"
    assert loaded.secret_keys_file == tmp_path / "secret.keys"


@pytest.mark.parametrize(
    ("platform", "xdg", "home"),
    [
        ("linux", "", "~/.local/share/postback"),
        ("linux", "/data", "/data/postback"),
        ("darwin", "/data", "~/Library/Application Support/postback"),
    ],
)
def test_home_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, platform: str, xdg: str, home: str) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setenv("XDG_DATA_HOME", xdg)
    assert load().home == Path(home).expanduser()


@pytest.mark.parametrize(("variable", "text", "name", "value"), READ, ids=[row[0] for row in READ])
def test_each_variable(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(load(), name) == value


def test_each_variable_is_tested() -> None:
    every = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert every == {row[0] for row in READ} | SECRETS.keys()


def test_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, text in SECRETS.items():
        monkeypatch.setenv(variable, text)
    check_secrets(load())


def test_secrets_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, text in SECRETS.items():
        path = tmp_path / variable
        path.write_text(f"{text}\n")
        monkeypatch.setenv(f"{variable}_FILE", str(path))
    check_secrets(load())


def check_secrets(loaded: Settings) -> None:
    assert loaded.api_key is not None
    assert loaded.secret_keys is not None
    assert loaded.database_url == SECRETS["POSTBACK_DATABASE_URL"]
    assert [key.get_secret_value() for key in loaded.secret_keys] == SECRETS["POSTBACK_SECRET_KEYS"].split(",")
    assert loaded.api_key.get_secret_value() == "hidden-key"
    assert loaded.account("dashscope") == Account("https://dashscope.aliyuncs.com/api/v1", "hidden-sk")
    assert loaded.account("acedata") == Account("https://api.acedata.cloud", "hidden-token")
    assert "hidden" not in repr(loaded)
    values = written(loaded)
    assert "hidden" not in str(values)
    assert values["POSTBACK_DATABASE_URL"] == "postgresql://u:********@db/postback"
    assert {values[variable] for variable in SECRETS.keys() - {"POSTBACK_DATABASE_URL"}} == {"********"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@ss:w/rd@db/x", "postgresql://u:********@db/x"),
        ("postgresql://db/x?user=u&password=pass", "postgresql://db/x?user=u&password=********"),
        ("postgresql://u@db/x", "postgresql://u@db/x"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert written(load(database_url=url))["POSTBACK_DATABASE_URL"] == shown


def test_keys_in_a_file_may_stand_on_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("sixteen-characters-1\nsixteen-characters-2\n")
    monkeypatch.setenv("POSTBACK_SECRET_KEYS_FILE", str(tmp_path / "keys"))
    assert len(load().secret_keys or ()) == 2


def test_a_variable_comes_before_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_API_KEY", "key")
    monkeypatch.setenv("POSTBACK_API_KEY_FILE", "/nowhere")
    key = load().api_key
    assert key is not None
    assert key.get_secret_value() == "key"


def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POSTBACK_API_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"POSTBACK_API_KEY_FILE: cannot read .*none: No such file"):
        load()


def test_flags_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_PORT", "1")
    monkeypatch.setenv("POSTBACK_HOST", "::1")
    loaded = load(port="2", host=None)
    assert (loaded.port, loaded.host, loaded.public_url) == (2, "::1", "http://[::1]:2")


def test_a_wildcard_host_is_reached_by_loopback() -> None:
    assert load(host="0.0.0.0").url == "http://127.0.0.1:8414"


def test_a_secret_that_was_mounted_empty_is_not_replaced_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text(" \n")
    monkeypatch.setenv("POSTBACK_API_KEY_FILE", str(tmp_path / "empty"))
    with pytest.raises(SettingsError, match=r"POSTBACK_API_KEY_FILE: .*empty is empty"):
        load()
    monkeypatch.setenv("POSTBACK_API_KEY", "given-in-the-variable-itself")
    assert load().api_key is not None


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.setenv(str(field.validation_alias), "")
    monkeypatch.setenv("POSTBACK_API_KEY_FILE", "")
    assert load() == Settings()


@pytest.mark.parametrize(("variable", "text"), BAD)
def test_a_bad_value_is_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(SettingsError) as error:
        load()
    field = next(field for field in Settings.model_fields.values() if field.validation_alias == variable)
    assert str(error.value).startswith(f"{variable} is ")
    assert str(error.value).endswith(f"not accepted: it must be {field.description}")
    assert len(str(error.value).splitlines()) == 1
    assert "hidden" not in str(error.value)


def test_what_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("POSTBACK_HOME", "POSTBACK_API_KEY"):
        monkeypatch.setenv(variable, os.fsdecode(b"a-secret-\xff"))
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value).splitlines() == [
        "POSTBACK_HOME is not accepted: it must be text in UTF-8",
        "POSTBACK_API_KEY is not accepted: it must be text in UTF-8",
    ]


def test_every_bad_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_RETENTION", "long")
    with pytest.raises(SettingsError) as error:
        load(port="http")
    told, more = str(error.value).splitlines()
    assert told.startswith("--port is 'http'")
    assert more.startswith("POSTBACK_RETENTION is 'long'")


def test_a_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_PROT", "1")
    monkeypatch.setenv("POSTBACK_XYZZY", "1")
    monkeypatch.setenv("POSTBACK_API_KEY_FILE", "1")
    assert settings.misspelt() == [
        "POSTBACK_PROT is not a setting; did you mean POSTBACK_PORT?",
        "POSTBACK_XYZZY is not a setting and has no effect",
    ]


def test_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTBACK_PORT", "1")
    monkeypatch.setenv("POSTBACK_API_KEY_FILE", "/key")
    assert settings.origin("port") == "environment"
    assert settings.origin("port", {"port"}) == "flag"
    assert settings.origin("api_key") == "file"
    assert settings.origin("host") == "default"


def test_accounts_and_paces() -> None:
    loaded = load(dashscope_api_key="sk", dashscope_workspace_id="ws")
    assert loaded.account("dashscope") == Account("https://dashscope.aliyuncs.com/api/v1", "sk", "ws")
    assert loaded.account("acedata") is None
    assert loaded.account("other") is None
    assert loaded.pace("dashscope") == Pace(2, 0, 20)
    assert loaded.pace("acedata") == Pace(5, 10, 20)
    assert load(acedata_daily_images=7).pace("acedata") == Pace(5, 10, 20, 7)
    assert load(dashscope_daily_images=8).pace("dashscope") == Pace(2, 0, 20, 8)
    with pytest.raises(KeyError):
        loaded.pace("other")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load().port = 1  # type: ignore[misc]
