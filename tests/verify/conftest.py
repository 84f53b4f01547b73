import os

import pytest

from .node import Node, NodeUnavailable, node_in


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node.js with the public libraries and TypeScript."""
    try:
        return node_in(tmp_path_factory.mktemp("node"))
    except NodeUnavailable as error:
        reason = f"JavaScript cannot be run here: {error}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
