"""Node.js with the packages of `js/`, installed anew in a folder of the session's own."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "js"
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


class NodeUnavailable(Exception):
    """Node.js or its packages are not to be had on this machine. The message says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """A folder with the packages installed."""

    folder: Path

    def run(self, script: str, given: Any) -> Any:
        """Runs a script with JSON on its standard input; returns the JSON that it prints."""
        ended = self._call("node", script, given=json.dumps(given))
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def compile(self, sources: dict[str, str]) -> str:
        """Checks TypeScript strictly and, if it holds, writes JavaScript to `built/`. Returns the complaints."""
        for name, text in sources.items():
            (self.folder / name).write_text(text, "utf-8")
        return self._call("node", "node_modules/typescript/bin/tsc", "--project", ".").stdout

    def _call(self, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, input=given, capture_output=True, encoding="utf-8", timeout=60, check=False
        )


def node_in(folder: Path) -> Node:
    """Installs the packages that the lock file names into the folder. Raises `NodeUnavailable`."""
    if not (shutil.which("node") and shutil.which("npm")):
        raise NodeUnavailable("node and npm are not installed")
    shutil.copytree(HERE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    try:
        ended = subprocess.run(INSTALL, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise NodeUnavailable("npm ci took longer than two minutes") from None
    if ended.returncode != 0:
        raise NodeUnavailable(f"npm ci failed: {ended.stderr.strip()}")
    return Node(folder)
