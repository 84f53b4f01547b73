"""Artifacts in a bucket of S3 or what speaks like it, Google Cloud Storage or Azure, through `obstore`.

Credentials, region and endpoint are those that each cloud's own tools read: AWS_ACCESS_KEY_ID, AWS_ENDPOINT,
GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCOUNT_NAME and so on, or the machine's own identity.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from receiver.storage import CHUNK, BadPlace, Missing, StorageError


class Bucket:
    """Artifacts as objects. `store` is any of obstore's."""

    def __init__(self, store: ObjectStore, drafts: Path) -> None:
        self._store = store
        self.drafts = drafts

    async def keep(self, draft: Path, name: str, media_type: str) -> None:
        """See `Storage.keep`. A large file goes up in parts and appears when all of them are there."""
        with _explained("written"):
            await self._store.put_async(name, draft, attributes={"Content-Type": media_type})

    async def open(self, name: str) -> AsyncIterator[bytes]:
        """See `Storage.open`."""
        with _explained("read"):
            found = await self._store.get_async(name)

        async def chunks() -> AsyncIterator[bytes]:
            with _explained("read"):
                async for chunk in found.stream(min_chunk_size=CHUNK):
                    yield bytes(chunk)

        return chunks()

    async def delete(self, name: str) -> None:
        """See `Storage.delete`."""
        with contextlib.suppress(Missing), _explained("deleted"):
            await self._store.delete_async(name)


def open_bucket(url: str, drafts: Path) -> Bucket:
    """The bucket of `s3://bucket/prefix`, `gs://…` or `az://…`. Raises `BadPlace`."""
    try:
        return Bucket(from_url(url), drafts)
    except (BaseError, ValueError) as error:
        raise BadPlace(f"POSTBACK_ARTIFACTS={url} cannot be used: {_first_line(error)}") from None


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Missing("there is no such object") from None
    except (BaseError, OSError, ValueError) as error:
        raise StorageError(f"the artifact bucket cannot be {what}: {_first_line(error)}") from None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
