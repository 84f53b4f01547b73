"""`/docs`: a page that shows every call and loads nothing."""

import re

import pytest

from postback.api.openapi import describe

from .stage import Stage

pytestmark = pytest.mark.anyio


async def test_it_shows_every_call_shape_and_webhook(stage: Stage) -> None:
    answer = await stage.anyone.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    description = describe()
    for path, methods in description["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in answer.text
    for name in (*description["components"]["schemas"], *description["webhooks"]):
        assert name in answer.text


async def test_it_loads_nothing_from_anywhere(stage: Stage) -> None:
    answer = await stage.anyone.get("/docs")
    assert not re.findall(r"<(script|link|img|iframe|object|embed|base|form|video|audio|source)\b", answer.text, re.I)
    assert not re.findall(r"@import|url\(|\bsrc\s*=|\bon\w+\s*=\s*[\"']", answer.text, re.I)
    assert set(re.findall(r'href="([^"#][^"]*)"', answer.text)) == {"/openapi.json"}
    policy = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "http" not in answer.headers["content-security-policy"]


async def test_its_links_lead_somewhere(stage: Stage) -> None:
    text = (await stage.anyone.get("/docs")).text
    targets = set(re.findall(r'href="#([^"]+)"', text))
    assert targets
    assert targets <= set(re.findall(r'id="([^"]+)"', text))
