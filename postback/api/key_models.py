"""What requests and answers about API keys and sign-in links hold."""

from pydantic import Field

from ledger.api_keys import Scope
from postback.api.bodies import Body
from postback.api.models import Shape

MAX_NAME = 100


class NewKey(Body):
    """An API key to be made."""

    name: str = Field(min_length=1, max_length=MAX_NAME, pattern="^[^\\x00-\\x1f\\x7f]+$", examples=["the shop"])
    """Whatever tells you who has it. It is written down beside what they change."""
    scope: Scope
    """`read` may look, `submit` may submit and cancel jobs besides, `admin` may do everything."""


class NewSignInLink(Body):
    """A link that signs a browser in to the dashboard, once."""

    scope: Scope | None = None
    """What whoever follows it may do; all that your key may, if it is left out."""


class ApiKey(Shape):
    """A named API key, without its text."""

    id: str
    name: str
    scope: Scope
    created_at: str
    last_used_at: str | None
    """To about a minute."""
    revoked_at: str | None


class ApiKeyWithText(ApiKey):
    """A new API key with its text, which is shown this once and kept nowhere."""

    key: str


class SignInLink(Shape):
    """Where a browser signs in."""

    path: str
    """At whatever address you reach this server. Good once."""
    scope: Scope
    expires_at: str
