"""What the documents say in passing, contradict or leave out, as bodies: one row for each quirk."""

import json
from typing import Any

from .sample import Sample

REASON = "The provider gave no reason."
EMPTY = "The provider gave neither a URL nor a reason."


def _flux(name: str, job: str, output: Any, *, usage: Any = None, **expected: Any) -> Sample:
    output = {"task_id": "t-1", **output}
    body = {"request_id": "r-1", "output": output, **({"usage": usage} if usage else {})}
    text = json.dumps(body, ensure_ascii=False)
    return Sample(name, "dashscope", "fetch", "flux-schnell", job, text=text, task_id="t-1", **expected)


def _refused(name: str, provider: str, job: str, http_status: int, text: str, code: str, message: str) -> Sample:
    model = "flux-schnell" if provider == "dashscope" else "flux-pro"
    return Sample(name, provider, "error", model, job, http_status, text=text, error=(code, message))


def _dashscope_error(job: str, http_status: int, code: str, message: str = "no") -> Sample:
    text = json.dumps({"code": code, "message": message, "request_id": "r-1"})
    return _refused(f"dashscope {http_status} {code}, {message}", "dashscope", job, http_status, text, code, message)


def _acedata_error(job: str, http_status: int, code: str) -> Sample:
    text = json.dumps({"error": {"code": code, "message": "no"}, "trace_id": "x"})
    return _refused(f"acedata {http_status} {code}", "acedata", job, http_status, text, code, "no")


def _callback(name: str, job: str, body: Any, **expected: Any) -> Sample:
    text = json.dumps({"task_id": "t-1", "trace_id": "x", **body})
    return Sample(name, "acedata", "callback", "flux-pro", job, text=text, task_id="t-1", **expected)


def _record(name: str, job: str, record: Any, **expected: Any) -> Sample:
    text = json.dumps({"id": "t-1", "request": {}, "created_at": 1752743800.5, **record})
    return Sample(name, "acedata", "fetch", "flux-pro", job, text=text, task_id="t-1", **expected)


ONE = {"results": [{"url": "u"}]}
ONE_RESULT = (("u", None),)

DASHSCOPE = (
    _flux("SUCCESSED, as one table spells it", "succeeded", {"task_status": "SUCCESSED", **ONE}, results=ONE_RESULT),
    _flux("SUSPENDED", "pending", {"task_status": "SUSPENDED"}),
    _flux("CANCELED", "canceled", {"task_status": "CANCELED"}),
    _flux("UNKNOWN", "lost", {"task_status": "UNKNOWN"}),
    _flux("a status that no document has", "pending", {"task_status": "WARMING_UP"}),
    _flux("results missing", "succeeded", {"task_status": "SUCCEEDED"}, warned=True),
    _flux("results null", "succeeded", {"task_status": "SUCCEEDED", "results": None}, warned=True),
    _flux("results empty", "succeeded", {"task_status": "SUCCEEDED", "results": []}, warned=True),
    _flux("results as plain URLs", "succeeded", {"task_status": "SUCCEEDED", "results": ["u"]}, results=ONE_RESULT),
    _flux(
        "an image with neither URL nor reason",
        "succeeded",
        {"task_status": "SUCCEEDED", "results": [{"url": "u"}, {"url": None}]},
        results=(("u", None), (None, ("Unknown", EMPTY))),
    ),
    _flux(
        "metrics 1/1/1, whose sum exceeds the total",
        "succeeded",
        {"task_status": "SUCCEEDED", **ONE, "task_metrics": {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 1}},
        results=ONE_RESULT,
        metrics=(1, 1, 1),
    ),
    _flux(
        "metrics 4/1/1, of the SD3.5 table",
        "running",
        {"task_status": "RUNNING", "task_metrics": {"TOTAL": 4, "SUCCEEDED": 1, "FAILED": 1}},
        metrics=(4, 1, 1),
    ),
    _flux(
        "metrics in usage, where the FLUX table has them",
        "succeeded",
        {"task_status": "SUCCEEDED", **ONE},
        usage={"task_metrics": {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}, "image_count": 1},
        results=ONE_RESULT,
        metrics=(1, 1, 0),
        image_count=1,
    ),
    _flux("a failure without a reason", "failed", {"task_status": "FAILED"}, error=("Unknown", REASON)),
    _flux(
        "times of SD3.5",
        "succeeded",
        {
            "task_status": "SUCCEEDED",
            **ONE,
            "submit_time": "2024-06-14 14:30:44.096",
            "scheduled_time": "2024-06-14 14:30:44.112",
            "end_time": "2024-06-14 14:31:04.197",
        },
        results=ONE_RESULT,
    ),
    Sample(
        "request_Id",
        "dashscope",
        "submit",
        "flux-schnell",
        "pending",
        text='{"request_Id":"r-1","output":{"task_id":"t-1","task_status":"PENDING"}}',
        task_id="t-1",
    ),
    Sample(
        "wan2.6: images in choices",
        "dashscope",
        "fetch",
        "wan2.6-t2i",
        "succeeded",
        text='{"output":{"task_id":"t-1","task_status":"SUCCEEDED","finished":true,"choices":[{"message":{"role":'
        '"assistant","content":[{"type":"text","text":"a cat"},{"type":"image","image":"u"}]}}]},"usage":'
        '{"image_count":1}}',
        task_id="t-1",
        results=ONE_RESULT,
        image_count=1,
    ),
    Sample(
        "a video",
        "dashscope",
        "fetch",
        "wan2.2-t2v-plus",
        "succeeded",
        text='{"output":{"task_id":"t-1","task_status":"SUCCEEDED","video_url":"u"},"usage":{"video_count":1}}',
        task_id="t-1",
        results=ONE_RESULT,
    ),
)

REFUSALS = (
    _dashscope_error("queued", 429, "Throttling"),
    _dashscope_error("queued", 429, "Throttling.RateQuota"),
    _dashscope_error("queued", 429, "Throttling.BurstRate"),
    _dashscope_error("queued", 429, "LimitRequests"),
    _dashscope_error("queued", 429, "Throttling.AllocationQuota"),
    _dashscope_error("failed", 429, "Throttling.AllocationQuota", "Free allocated quota exceeded."),
    _dashscope_error("failed", 429, "CommodityNotPurchased"),
    _dashscope_error("failed", 429, "PrepaidBillOverdue"),
    _dashscope_error("failed", 429, "PostpaidBillOverdue"),
    _dashscope_error("failed", 400, "InvalidParameter"),
    _dashscope_error("failed", 400, "DataInspectionFailed"),
    _dashscope_error("failed", 400, "BadRequest.TooLarge"),
    _dashscope_error("failed", 400, "Arrearage"),
    _dashscope_error("failed", 403, "AccessDenied.Unpurchased"),
    _dashscope_error("failed", 404, "ModelNotFound"),
    _dashscope_error("failed", 418, "SomethingNew"),
    _dashscope_error("failed", 200, "InvalidApiKey", "an error under HTTP 200"),
    _dashscope_error("unconfirmed", 500, "InternalError.Timeout"),
    _dashscope_error("unconfirmed", 503, "ModelUnavailable"),
    _dashscope_error("unconfirmed", 408, "RequestTimeOut"),
    _dashscope_error("unconfirmed", 500, "SomethingNew"),
    _acedata_error("failed", 400, "token_mismatched"),
    _acedata_error("failed", 401, "invalid_token"),
    _acedata_error("failed", 403, "used_up"),
    _acedata_error("failed", 404, "no_api"),
    _acedata_error("queued", 429, "too_many_requests"),
    _acedata_error("unconfirmed", 504, "timeout"),
)

ACEDATA = (
    Sample(
        "acknowledged with success",
        "acedata",
        "submit",
        "flux-pro",
        "pending",
        text='{"success":true,"task_id":"t-1"}',
        task_id="t-1",
    ),
    _callback("data as one object", "succeeded", {"success": True, "data": {"image_url": "u"}}, results=ONE_RESULT),
    _callback(
        "error null beside data",
        "succeeded",
        {"success": True, "error": None, "data": [{"image_url": "u", "seed": 1}]},
        results=ONE_RESULT,
    ),
    _callback("success without data", "succeeded", {"success": True}, warned=True),
    _callback(
        "one image without URL",
        "succeeded",
        {"success": True, "data": [{"image_url": "u"}, {"prompt": "p"}]},
        results=(("u", None), (None, ("error", EMPTY))),
    ),
    _callback(
        "failure with an error object",
        "failed",
        {"success": False, "error": {"code": "bad_request", "message": "no such image"}},
        error=("bad_request", "no such image"),
    ),
    _callback("failure with an error string", "failed", {"success": False, "error": "no"}, error=("error", "no")),
    _callback("failure with an error null", "failed", {"success": False, "error": None}, error=("error", REASON)),
    _record("record, waiting", "pending", {}),
    _record("record, working", "running", {"started_at": 1752743801.5, "finished_at": None}),
    _record(
        "record, done",
        "succeeded",
        {"finished_at": 1752743900, "response": {"success": True, "task_id": "t-1", "data": [{"image_url": "u"}]}},
        results=ONE_RESULT,
    ),
    _record(
        "record, a coded failure is final at once",
        "failed",
        {"response": {"success": False, "error": {"code": "api_error", "message": "no"}}},
        error=("api_error", "no"),
    ),
    _record(
        "record, an error string is not final",
        "running",
        {"started_at": 1, "response": {"success": False, "error": "retrying"}},
    ),
    _record(
        "record, an error string is final in the end",
        "failed",
        {"started_at": 1, "finished_at": 2, "response": {"success": False, "error": "gave up"}},
        error=("error", "gave up"),
    ),
    Sample("no record", "acedata", "fetch", "flux-pro", "lost", text="{}"),
    Sample("a null record", "acedata", "fetch", "flux-pro", "lost", text="null"),
    Sample("record not found", "acedata", "fetch", "flux-pro", "lost", 404, text='{"detail":"Not Found"}'),
)

QUIRKS = DASHSCOPE + REFUSALS + ACEDATA
