"""The management API as the command line sees it: JSON in, JSON out, every error a message and an exit code."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote, urlsplit

import httpx2 as httpx

from postback.cli.errors import CommandFailed, ExitCode
from postback.setting_types import without_password
from postback.settings import Settings

TIMEOUT_SECONDS = 30.0
PATIENT_SECONDS = 3_600.0
"""For what takes as long as there is work: sending a window again, sealing everything anew, a slow subscriber."""

SILENCE_SECONDS = 45.0
"""How long a stream may be silent: three times what the server is, when it is well."""


LISTED = ("jobs", "subscribers", "callbacks", "notifications", "deliveries", "keys")
"""What each has a `postback … list`."""


class ApiKey(NamedTuple):
    """The bearer key, None when there is none, and where it came from or was looked for."""

    value: str | None
    place: str


class Client:
    """Speaks to the server at `settings.url`. Its methods raise `CommandFailed` for everything but a 2xx.

    An answer may take `seconds` to begin, where nothing else is said.
    """

    def __init__(self, settings: Settings, *, seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = without_password(settings.url)
        self._key = find_key(settings)
        headers = {"authorization": f"Bearer {self._key.value}"} if self._key.value else {}
        self._http = httpx.Client(
            base_url=settings.url,
            headers=headers,
            timeout=seconds,
            # A proxy of the environment cannot reach this machine's own loopback.
            trust_env=not _is_loopback(settings.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, *path: str, query: Mapping[str, str | int | None] | None = None) -> dict[str, Any]:
        """GET /v1/path…; query values that are None are left out."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(
        self,
        *path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        patient: bool = False,
    ) -> dict[str, Any]:
        """POST /v1/path… with a JSON body; `patient` waits for as long as the work may take."""
        seconds = PATIENT_SECONDS if patient else TIMEOUT_SECONDS
        return self._ask("POST", path, json=body or {}, headers=headers, timeout=seconds)

    def patch(self, *path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH /v1/path… with a JSON body."""
        return self._ask("PATCH", path, json=body)

    def delete(self, *path: str) -> dict[str, Any]:
        """DELETE /v1/path…"""
        return self._ask("DELETE", path)

    def stream(self, path: str) -> AbstractContextManager[httpx.Response]:
        """GET of an address outside of /v1, whose answer is read as it comes, whatever its status."""
        return self._http.stream("GET", path)

    @contextmanager
    def follow(
        self, *path: str, query: Mapping[str, str | None], headers: Mapping[str, str]
    ) -> Iterator[Iterator[bytes]]:
        """GET /v1/path… that answers with an event stream: its bytes as they come, until the server ends it."""
        given = {name: value for name, value in query.items() if value is not None}
        request = self._http.build_request(
            "GET",
            _target(path),
            params=given,
            headers={"accept": "text/event-stream", **headers},
            timeout=httpx.Timeout(TIMEOUT_SECONDS, read=SILENCE_SECONDS),
        )
        try:
            response = self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise self._stranger(response, "no event stream")
                yield response.iter_bytes()
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._unreachable(error) from None

    @contextmanager
    def download(self, *path: str) -> Iterator[httpx.Response]:
        """GET /v1/path… that answers with a file, which may take as long to make as it needs to."""
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=None)
        try:
            with self._http.stream("GET", _target(path), timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                yield response
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._unreachable(error) from None

    def _ask(self, method: str, path: tuple[str, ...], **request: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, _target(path), **request)
        except httpx.TimeoutException:
            raise CommandFailed(
                f"{self._url} did not answer within {request.get('timeout', TIMEOUT_SECONDS):.0f} s; "
                "it may still have taken the request",
                ExitCode.UNREACHABLE,
            ) from None
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if response.is_success:
            return {} if response.status_code == httpx.codes.NO_CONTENT else self._object(response)
        raise self._refusal(response)

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._stranger(response, "no JSON object")
        return answer

    def _stranger(self, response: httpx.Response, what: str) -> CommandFailed:
        return CommandFailed(
            f"what answers at {self._url} is not Postback (status {response.status_code}, {what}); "
            "is POSTBACK_URL right?",
            ExitCode.UNREACHABLE,
        )

    def _unreachable(self, error: Exception) -> CommandFailed:
        if isinstance(error, httpx.ReadError | httpx.RemoteProtocolError):
            return CommandFailed(
                f"the connection to {self._url} broke off\nIs the server running? Start it with: postback serve",
                ExitCode.UNREACHABLE,
            )
        return CommandFailed(
            f"no server answers at {self._url} ({error}). Is it running? Start it with: postback serve",
            ExitCode.UNREACHABLE,
        )

    def _refusal(self, response: httpx.Response) -> CommandFailed:
        problem = self._object(response)
        message = _problem_text(problem) or f"the server answered {response.status_code}"
        match response.status_code:
            case 401 | 403 if not self._key.value:
                return CommandFailed(
                    f"{message}\nNo API key was found in {self._key.place}. Look where it is with: postback config",
                    ExitCode.NOT_ALLOWED,
                )
            case 401:
                return CommandFailed(
                    f"{self._url} does not know the API key of {self._key.place}, or it was revoked.\n"
                    "See where settings come from with: postback config. Whoever has an admin key can make another:\n"
                    "  postback keys create NAME --scope admin",
                    ExitCode.NOT_ALLOWED,
                )
            case 403:
                return CommandFailed(f"{message}\nThe API key came from {self._key.place}", ExitCode.NOT_ALLOWED)
            case 404:
                return CommandFailed(f"{message}{_where(response.url.path)}", ExitCode.NOT_FOUND)
            case 400 | 422:
                return CommandFailed(message, ExitCode.USAGE)
        return CommandFailed(message)


def find_key(settings: Settings) -> ApiKey:
    """The key that is set, else the one that the server keeps in its home."""
    if settings.api_key is not None:
        return ApiKey(settings.api_key.get_secret_value(), "POSTBACK_API_KEY")
    path = settings.api_key_file
    try:
        key = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ApiKey(None, f"POSTBACK_API_KEY, POSTBACK_API_KEY_FILE and {path}")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not ASCII text"
        raise CommandFailed(f"cannot read the API key in {path}: {reason}", ExitCode.NOT_ALLOWED) from None
    return ApiKey(key, str(path))


def _target(path: tuple[str, ...]) -> str:
    if not all(path):
        raise CommandFailed("an id is missing: it was given as an empty text", ExitCode.USAGE)
    return "/v1/" + "/".join(quote(part, safe="") for part in path)


def _problem_text(problem: Mapping[str, Any]) -> str:
    """The sentences of an `application/problem+json` (RFC 9457): its detail, then a line for each other bad field."""
    lines = [str(problem.get("detail") or problem.get("title") or "")]
    for error in problem.get("errors") or ():
        field, sentence = error.get("pointer") or error.get("parameter") or "/", error.get("detail", "")
        if sentence not in lines[0]:
            lines.append(f"  {field}: {sentence}")
    return "\n".join(lines).strip("\n")


def _where(path: str) -> str:
    """Where to look for the id that there is not."""
    noun = path.partition("/v1/")[2].partition("/")[0]
    return f"\nSee which there are with: postback {noun} list" if noun in LISTED else ""


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
