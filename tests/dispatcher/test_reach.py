import pytest

from dispatcher.reach import can_call

ABROAD = "https://api.acedata.cloud"
HERE = "http://127.0.0.1:9000"

PRIVATE = [
    "http://127.0.0.1:8414",
    "http://127.8.9.1",
    "http://localhost:8414",
    "http://LOCALHOST",
    "http://localhost.:8414",
    "http://postback.localhost",
    "http://0.0.0.0:8414",
    "http://10.0.0.5",
    "http://172.16.0.1",
    "http://192.168.1.20:8414",
    "http://169.254.10.1",
    "http://100.64.0.7",
    "http://[::1]:8414",
    "http://[::]:8414",
    "http://[fd12:3456::1]",
    "http://[fe80::1]",
    "http://[::ffff:127.0.0.1]:8414",
    "http://[::ffff:10.0.0.5]",
]
PUBLIC = [
    "https://postback.example",
    "https://postback.example:8443/behind/a/proxy",
    "http://8.8.8.8",
    "http://172.32.0.1",
    "http://[2606:4700::1111]:8414",
    "https://localhost.example.com",
    "https://notlocalhost",
    "http://127.0.0.1.example.com",
]


@pytest.mark.parametrize("ours", PRIVATE)
def test_nobody_from_abroad_reaches_a_private_address(ours: str) -> None:
    assert not can_call(ABROAD, ours)


@pytest.mark.parametrize("ours", PUBLIC)
def test_everybody_reaches_a_public_address(ours: str) -> None:
    assert can_call(ABROAD, ours)
    assert can_call(HERE, ours)


@pytest.mark.parametrize("ours", PRIVATE)
@pytest.mark.parametrize("provider", [HERE, "http://localhost:9000", "http://[::1]:9000", "http://10.1.1.1"])
def test_a_provider_that_is_here_too_reaches_us(provider: str, ours: str) -> None:
    assert can_call(provider, ours)
