"""`postback doctor` beside a real server, as an operator runs it."""

import json
from pathlib import Path

from e2e import acedata, dashscope
from e2e.scene import opened
from e2e.server import run
from e2e.wire import Stage


def test_a_healthy_installation(wires: Stage, tmp_path: Path, database_url: str) -> None:
    with opened(wires, tmp_path, database_url) as house:
        told = run("doctor", env=house.server.env)
        assert told.returncode == 0, told.stdout + told.stderr
        lines = told.stdout.splitlines()
        assert not [line for line in lines if line.startswith("fail")]
        for said in ("is ready", "takes the API key", "dashscope takes the key", "acedata takes the key", "agrees"):
            assert said in told.stdout
        for secret in (house.server.key, dashscope.KEY, acedata.KEY):
            assert secret not in told.stdout + told.stderr
        assert house.api.http.get("/readyz").status_code == 200, "it was not disturbed"

        wrong = house.server.env | {"POSTBACK_API_KEY": "wrong", "DASHSCOPE_API_KEY": "wrong-key-canary"}
        told = run("doctor", "--json", env=wrong)
        assert told.returncode == 1
        failed = [one["check"] for one in json.loads(told.stdout)["data"] if one["level"] == "fail"]
        assert failed == ["server", "providers"]
        assert "2 of" in told.stderr
        assert "wrong-key-canary" not in told.stdout + told.stderr
        assert "Traceback" not in told.stderr
