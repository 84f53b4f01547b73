"""DashScope's error codes and what to do about each (Model Studio, "Error codes")."""

from providers.policy import Policy, Rule
from providers.protocol import Disposition

NOT_SERVER_ERRORS = range(200, 500)

POLICY = Policy(
    rules=(
        Rule(Disposition.FINAL, ("Throttling.AllocationQuota",), saying="free allocated quota exceeded"),
        Rule(Disposition.THROTTLE, ("Throttling", "Throttling.*", "LimitRequests")),
        # Unpaid accounts are told so with HTTP 429, and waiting does not pay.
        Rule(
            Disposition.FINAL,
            ("CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue", "Arrearage"),
            NOT_SERVER_ERRORS,
        ),
        Rule(Disposition.THROTTLE, statuses=(429,)),
        Rule(
            Disposition.AMBIGUOUS,
            (
                "InternalError",
                "InternalError.*",
                "SystemError",
                "ModelServiceFailed",
                "RequestTimeOut",
                "ModelServingError",
                "ModelUnavailable",
            ),
        ),
        Rule(
            Disposition.FINAL,
            (
                "InvalidParameter",
                "InvalidParameter.*",
                "DataInspectionFailed",
                "InvalidURL",
                "BadRequest.*",
                "UnsupportedOperation",
                "InvalidApiKey",
                "AccessDenied",
                "AccessDenied.*",
                "Model.AccessDenied",
                "Workspace.AccessDenied",
                "AllocationQuota.FreeTierOnly",
                "ModelNotFound",
                "WorkSpaceNotFound",
            ),
            NOT_SERVER_ERRORS,
        ),
    ),
    hints={
        "InvalidApiKey": "Set DASHSCOPE_API_KEY to a key of this region; keys of one region do not work in another.",
        "Arrearage": "The account has an overdue bill: pay it in the Alibaba Cloud console, then resubmit.",
        "P*BillOverdue": "The account has an overdue bill: pay it in the Alibaba Cloud console, then resubmit.",
        "CommodityNotPurchased": "Activate Model Studio for this account in the Alibaba Cloud console.",
        "AccessDenied.Unpurchased": "Activate Model Studio for this account in the Alibaba Cloud console.",
        "AccessDenied": "The key may not use asynchronous calls or this model: check its permissions.",
        "Model.AccessDenied": "Apply for the model on its card in Model Studio, or allow it in the key's workspace.",
        "Workspace.AccessDenied": "Set DASHSCOPE_WORKSPACE_ID to a workspace that this key belongs to.",
        "WorkSpaceNotFound": "Set DASHSCOPE_WORKSPACE_ID to a workspace that this key belongs to.",
        "AllocationQuota.FreeTierOnly": "The free quota is used up: switch off “free tier only” in Model Studio.",
        "Throttling.AllocationQuota": "The quota of the account is used up: raise it in Model Studio, or wait.",
        "Throttling*": "The provider is being asked too fast: lower POSTBACK_DASHSCOPE_SUBMIT_RATE.",
        "LimitRequests": "The provider is being asked too fast: lower POSTBACK_DASHSCOPE_SUBMIT_RATE.",
        "ModelNotFound": "Check the model's name, and that it exists in this region.",
        "InvalidURL": "Check that the provider can fetch the image URL from the public internet.",
        "DataInspectionFailed": "The provider's content check refused the prompt or the image: change it.",
        "InternalError.Timeout": "The provider gave up after its own time limit: resubmit.",
    },
)
