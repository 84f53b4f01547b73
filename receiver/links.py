"""The public URLs of artifacts: whoever has one is served the image, without a key, for as long as its job is kept."""

import base64
import hmac

from ledger.keys import SecretKeys


class ArtifactLinks:
    """Makes and checks them. The last of the keys signs, all verify; `public_url` has no trailing slash."""

    def __init__(self, keys: SecretKeys, public_url: str) -> None:
        self._keys = keys.subkeys("artifact")
        self._public_url = public_url

    def url(self, artifact_id: str) -> str:
        """Where an artifact can be fetched."""
        return f"{self._public_url}/artifacts/{artifact_id}/{_sign(self._keys[-1], artifact_id)}"

    def good(self, artifact_id: str, signature: str) -> bool:
        """Whether that is a signature of ours for that artifact."""
        given = signature.encode("utf-8", "replace")
        # Every key is tried, so that the time taken tells nothing.
        return sum(hmac.compare_digest(_sign(key, artifact_id).encode(), given) for key in self._keys) > 0


def _sign(key: bytes, artifact_id: str) -> str:
    digest = hmac.digest(key, artifact_id.encode("utf-8", "replace"), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
