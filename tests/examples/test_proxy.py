"""The proxies before Postback let in what must be reachable, and nothing else. None of them runs here."""

import re

import yaml

from postback.api.calls import CALLS
from postback.settings import Settings

from .programs import EXAMPLES

NGINX, CADDY, TUNNEL = (
    (EXAMPLES / "proxy" / name).read_text() for name in ("nginx.conf", "Caddyfile", "cloudflared.yml")
)

PUBLIC = ["/callbacks/", "/artifacts/", "/healthz"]
KEPT_IN = {"/readyz", "/metrics"}
ADDRESS = f"127.0.0.1:{Settings.model_fields['port'].default}"


def test_what_is_outside_the_api_is_let_in_or_kept_in_on_purpose() -> None:
    outside = {call.path for call in CALLS if not call.path.startswith("/v1/")}
    assert {path for path in outside if not path.startswith(tuple(PUBLIC))} == KEPT_IN


def test_nginx() -> None:
    places = re.findall(r"^    location (?:= )?(\S+) \{(.*?)^    \}", NGINX, re.DOTALL | re.MULTILINE)
    assert [path for path, _ in places] == [*PUBLIC, "/"]
    for path, does in places:
        assert (f"proxy_pass http://{ADDRESS};" in does) == (path in PUBLIC)
        assert ("access_log off;" in does) == (path in ("/callbacks/", "/artifacts/"))
    assert "return 404;" in places[-1][1]
    assert "client_max_body_size 1m;" in NGINX


def test_caddy() -> None:
    assert re.findall(r"@public path (.+)", CADDY) == ["/callbacks/* /artifacts/* /healthz"]
    assert CADDY.count("reverse_proxy") == CADDY.count(f"reverse_proxy {ADDRESS}") == 1
    assert "log\n" not in CADDY.replace("access log", "")
    assert "max_size 1MiB" in CADDY


def test_the_tunnel() -> None:
    first, last = yaml.safe_load(TUNNEL)["ingress"]
    assert first["service"] == f"http://{ADDRESS}"
    assert last == {"service": "http_status:404"}
    lets_in = re.compile(first["path"])
    for path in ("/callbacks/token", "/artifacts/art_1/signature", "/healthz"):
        assert lets_in.search(path)
    for path in ("/", "/v1/jobs", "/docs", "/metrics", "/readyz", "/healthz/x", "/v1/callbacks/cb_1", "/callbacks"):
        assert not lets_in.search(path)


def test_the_limit_on_bodies_is_ours() -> None:
    assert Settings.model_fields["max_body"].default == "1MiB"
