import os
from collections.abc import Iterator

import pytest
from e2e.api import Api
from e2e.forked import Forked
from e2e.server import PROGRAM, Server, environment, free_port, unexpected
from verify.node import NodeUnavailable

from .programs import RECEIVING, Endpoint, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Postback as the first five minutes start it: against the simulator."""
    folder = tmp_path_factory.mktemp("examples")
    port = free_port()
    command = [PROGRAM, "simulator", "--port", str(port)]
    simulator = Forked(command, environment(folder / "home"), folder / "simulator.log")
    settings = {
        "POSTBACK_ALLOW_NETWORKS": "127.0.0.0/8",
        "DASHSCOPE_HTTP_BASE_URL": f"http://127.0.0.1:{port}/dashscope/api/v1",
        "DASHSCOPE_API_KEY": "anything",
        "POSTBACK_DASHSCOPE_QUERY_RATE": 500,
    }
    server = Server(folder / "home", settings)
    try:
        server.start()
        yield server
        assert unexpected(server.log) == []
    finally:
        server.kill()
        simulator.kill()


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[Api]:
    api = Api(server.url, server.key)
    with api.http:
        yield api


@pytest.fixture(scope="module", params=RECEIVING)
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Each example in turn."""
    try:
        with running(RECEIVING[request.param], tmp_path_factory.mktemp("receiving") / "copy") as endpoint:
            yield endpoint
    except NodeUnavailable as error:
        reason = f"the example for Express cannot be run here: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
