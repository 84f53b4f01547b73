"""The calls on who may call: API keys, and links that sign in to the dashboard."""

from postback.api import key_models as models
from postback.api import keys, sign_in_links
from postback.api.call import Call

CALLS: tuple[Call, ...] = (
    Call(
        "POST",
        "/v1/keys",
        "Make a named API key. The answer is the only one that ever shows it.",
        keys.create,
        models.ApiKeyWithText,
        201,
        models.NewKey,
        problems=(422,),
    ),
    Call(
        "GET",
        "/v1/keys",
        "List API keys, newest first, also those that were revoked.",
        keys.find,
        models.ApiKey,
        paged=True,
        problems=(422,),
        needs="admin",
    ),
    Call(
        "DELETE",
        "/v1/keys/{id}",
        "Revoke an API key, for good, with every session that stands on it.",
        keys.revoke,
        None,
        204,
        problems=(404,),
    ),
    Call(
        "POST",
        "/v1/sign-in-links",
        "Make a link that signs a browser in to the dashboard, once, within 15 minutes.",
        sign_in_links.create,
        models.SignInLink,
        201,
        models.NewSignInLink,
        problems=(422,),
    ),
)
