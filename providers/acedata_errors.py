"""AceData's error codes and what to do about each (AceData, "Error Handling")."""

from providers.policy import Policy, Rule
from providers.protocol import Disposition

POLICY = Policy(
    rules=(
        # An account without credit stays without, whatever the status says.
        Rule(Disposition.FINAL, ("used_up", "disabled"), range(200, 500)),
        Rule(Disposition.THROTTLE, ("too_many_requests",)),
        Rule(Disposition.THROTTLE, statuses=(429,)),
        Rule(Disposition.AMBIGUOUS, ("api_error", "timeout")),
        Rule(
            Disposition.FINAL,
            (
                "bad_request",
                "no_token",
                "token_mismatched",
                "api_not_implemented",
                "invalid_token",
                "token_expired",
                "forbidden",
                "no_api",
            ),
            range(200, 500),
        ),
        # A failure under HTTP 200 that names its code is the job's own end. Codes are in small letters; the name
        # that `Policy.refusal` gives to an error without a code is not.
        Rule(Disposition.FINAL, ("[a-z]*",), range(200, 300)),
    ),
    hints={
        "invalid_token": "Set ACEDATA_API_TOKEN to a token of an application of this service.",
        "no_token": "Set ACEDATA_API_TOKEN to a token of an application of this service.",
        "token_mismatched": "The token belongs to another service: set ACEDATA_API_TOKEN to one for Flux.",
        "token_expired": "The token has expired: create a new one and set ACEDATA_API_TOKEN.",
        "used_up": "The credit of the account is used up: top it up at AceData, then resubmit.",
        "disabled": "The application or token is disabled: enable it at AceData.",
        "forbidden": "The token may not use this service, or the content was refused.",
        "no_api": "Check ACEDATA_BASE_URL: this address has no such service.",
        "too_many_requests": "The provider is being asked too fast: lower POSTBACK_ACEDATA_SUBMIT_RATE.",
    },
)
