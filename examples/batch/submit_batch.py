"""Submits a file of jobs in one call, all or none of them: python submit_batch.py jobs.jsonl

The command line does the same: postback submit --file jobs.jsonl
Needs POSTBACK_API_KEY, and POSTBACK_URL if Postback is not on this machine. pip install httpx2
"""

import json
import os
import sys
from pathlib import Path

import httpx2 as httpx


def main(file: str) -> None:
    """Prints the jobs' ids, in the order of the lines, or why there are none. Each line has an `idempotency_key`, so
    the file can be submitted again without making a job twice."""
    jobs = [json.loads(line) for line in Path(file).read_text("utf-8").splitlines() if line]
    url = os.environ.get("POSTBACK_URL", "http://127.0.0.1:8414")
    headers = {"Authorization": f"Bearer {os.environ['POSTBACK_API_KEY']}"}
    try:
        answer = httpx.post(f"{url}/v1/jobs/batch", headers=headers, json={"jobs": jobs}, timeout=60).raise_for_status()
    except httpx.HTTPStatusError as refusal:
        sys.exit(f"Refused: {refusal.response.text}")  # it says which line is wrong: /jobs/17/input/prompt
    except httpx.TransportError as error:
        sys.exit(f"No answer from {url}: {error}")
    for job in answer.json()["data"]:
        print(job["id"])


if __name__ == "__main__":
    if len(sys.argv) != 2 or "POSTBACK_API_KEY" not in os.environ:
        sys.exit(__doc__)
    main(sys.argv[1])
