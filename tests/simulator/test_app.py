"""The start page, the images, and what only a real server can do."""

import struct
import zlib

import httpx2 as httpx
import pytest

from postback.simulator import script, serve
from postback.simulator.images import png


def test_the_start_page_tells_the_words_and_the_variables(server: str) -> None:
    page = httpx.get(server, trust_env=False).json()
    assert page["words"] == {word.example: word.does for word in script.WORDS}
    assert page["models"] == script.MODELS
    assert page["environment"] == {
        "DASHSCOPE_HTTP_BASE_URL": f"{server}/dashscope/api/v1",
        "ACEDATA_BASE_URL": f"{server}/acedata",
    }


def test_images_are_real_and_their_name_decides_them() -> None:
    image = png("a")
    assert struct.unpack(">II", image[16:24]) == (64, 64)
    data = image[image.index(b"IDAT") + 4 : image.index(b"IEND") - 8]
    pixels = zlib.decompress(data)
    assert len(pixels) == 64 * (1 + 64 * 3)
    assert len({pixels[x : x + 3] for x in range(1, 64 * 3, 3)}) == 4
    assert png("a") == image != png("b")


@pytest.mark.parametrize("prompt", ["[cut] a real one", "[cut] another"])
def test_cut_closes_the_connection_but_takes_the_job(server: str, prompt: str) -> None:
    with httpx.Client(base_url=server, trust_env=False, headers={"authorization": "Bearer sk-cut"}) as client:
        body = {"model": "flux-dev", "input": {"prompt": prompt}}
        path = "/dashscope/api/v1/services/aigc/text2image/image-synthesis"
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post(path, json=body, headers={"x-dashscope-async": "enable"})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post("/acedata/flux/images", json={"prompt": prompt, "async": True})
        stats = client.get("/_simulator/stats").json()["tasks"].values()
        assert sorted(task["provider"] for task in stats if task["prompt"] == prompt) == ["acedata", "dashscope"]
        assert {task["submissions"] for task in stats if task["prompt"] == prompt} == {1}


def test_a_callback_over_the_network(server: str) -> None:
    with httpx.Client(base_url=server, trust_env=False, headers={"authorization": "Bearer sk"}) as client:
        # The simulator itself is the receiver: it has no such page, and says so.
        body = {"prompt": "[early] over the network", "callback_url": f"{server}/callbacks/token"}
        task_id = client.post("/acedata/flux/images", json=body).json()["task_id"]
        unreachable = {"prompt": "[early] nobody", "callback_url": "http://127.0.0.1:1/callbacks/token"}
        lonely = client.post("/acedata/flux/images", json=unreachable).json()["task_id"]
        tasks = client.get("/_simulator/stats").json()["tasks"]
        assert (tasks[task_id]["callbacks"], tasks[lonely]["callbacks"]) == ([404], ["ConnectError"])


def test_a_taken_port_is_told() -> None:
    with serve.listen("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        serve.run(port=taken.getsockname()[1])
