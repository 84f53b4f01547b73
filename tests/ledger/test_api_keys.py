"""Named API keys and one-time links, on both databases."""

import asyncio

import pytest
from builders import NOW, FakeClock, count

from ledger import api_keys, sign_in_links
from ledger.api_keys import SCOPES, Scope, allows, digest, new_key
from ledger.clock import MINUTE
from ledger.errors import NotFound
from ledger.ledger import Ledger
from ledger.pages import BadCursor
from ledger.schema import sign_in_links as links

pytestmark = pytest.mark.anyio


async def made(ledger: Ledger, name: str = "shop", scope: Scope = "submit") -> tuple[str, str]:
    """The id and the text of a new key."""
    key = new_key()
    row = await ledger.write(api_keys.create, name, scope, digest(key))
    return row.id, key


async def last_used(ledger: Ledger, key_id: str) -> int | None:
    used: int | None = (await ledger.read(api_keys.get, key_id)).last_used_at
    return used


def test_each_scope_allows_those_before_it() -> None:
    assert [(has, needed) for has in SCOPES for needed in SCOPES if allows(has, needed)] == [
        ("read", "read"),
        ("submit", "read"),
        ("submit", "submit"),
        ("admin", "read"),
        ("admin", "submit"),
        ("admin", "admin"),
    ]


def test_keys_are_long_random_and_can_be_recognised() -> None:
    one, other = new_key(), new_key()
    assert one != other
    assert one.startswith("pbk_")
    assert len(one) == len("pbk_") + 43
    assert digest(one) != digest(other)
    assert one not in digest(one)


async def test_a_key_is_found_by_its_digest_and_its_id(ledger: Ledger) -> None:
    key_id, key = await made(ledger, "das Geschäft 店")
    other_id, _ = await made(ledger, scope="read")
    found = await ledger.read(api_keys.find_live, digest=digest(key))
    assert found is not None
    assert (found.id, found.name, found.scope) == (key_id, "das Geschäft 店", "submit")
    assert await ledger.read(api_keys.find_live, key_id=key_id) == found
    assert (await ledger.read(api_keys.get, other_id)).scope == "read"
    assert await ledger.read(api_keys.find_live, digest=digest(key + "x")) is None
    assert await ledger.read(api_keys.find_live, key_id="key_none") is None


async def test_its_text_and_digest_are_not_shown(ledger: Ledger) -> None:
    key_id, key = await made(ledger)
    row = await ledger.read(api_keys.get, key_id)
    assert key not in str(row)
    assert api_keys.document(row) == {
        "id": key_id,
        "name": "shop",
        "scope": "submit",
        "created_at": "2023-11-14T22:13:20.000Z",
        "last_used_at": None,
        "revoked_at": None,
    }


async def test_a_revoked_key_is_found_no_more_and_stays_in_the_list(ledger: Ledger, clock: FakeClock) -> None:
    key_id, key = await made(ledger)
    clock.advance(5_000)
    assert (await ledger.write(api_keys.revoke, key_id)).revoked_at == NOW + 5_000
    clock.advance(5_000)
    assert (await ledger.write(api_keys.revoke, key_id)).revoked_at == NOW + 5_000
    assert await ledger.read(api_keys.find_live, digest=digest(key)) is None
    assert await ledger.read(api_keys.find_live, key_id=key_id) is None
    assert [row.id for row in (await ledger.read(api_keys.find, cursor=None, limit=5)).data] == [key_id]


async def test_an_unknown_key_cannot_be_revoked(ledger: Ledger) -> None:
    key_id, _ = await made(ledger)
    with pytest.raises(NotFound):
        await ledger.write(api_keys.revoke, "key_none")
    assert await ledger.read(api_keys.find_live, key_id=key_id) is not None


async def test_the_list_is_paged_newest_first(ledger: Ledger) -> None:
    ids = [(await made(ledger, str(number)))[0] for number in range(3)]
    page = await ledger.read(api_keys.find, cursor=None, limit=2)
    assert [row.id for row in page.data] == ids[:0:-1]
    page = await ledger.read(api_keys.find, cursor=page.next_cursor, limit=2)
    assert ([row.id for row in page.data], page.next_cursor) == (ids[:1], None)
    with pytest.raises(BadCursor):
        await ledger.read(api_keys.find, cursor="job_1", limit=2)


async def test_a_use_is_noted_at_most_once_a_minute(ledger: Ledger, clock: FakeClock) -> None:
    key_id, _ = await made(ledger)
    other_id, _ = await made(ledger)
    assert await ledger.write(api_keys.note_use, {key_id}) == 1
    clock.advance(MINUTE - 1)
    assert await ledger.write(api_keys.note_use, {key_id}) == 0
    assert await last_used(ledger, key_id) == NOW
    clock.advance(1)
    assert await ledger.write(api_keys.note_use, {key_id}) == 1
    assert await last_used(ledger, key_id) == NOW + MINUTE
    assert await last_used(ledger, other_id) is None
    assert await ledger.write(api_keys.note_use, {key_id, other_id}) == 1


async def test_a_use_of_a_revoked_key_is_not_noted(ledger: Ledger) -> None:
    key_id, _ = await made(ledger)
    await ledger.write(api_keys.revoke, key_id)
    assert await ledger.write(api_keys.note_use, {key_id}) == 0
    assert await last_used(ledger, key_id) is None


async def test_a_link_is_good_once(ledger: Ledger) -> None:
    expires_at = await ledger.write(sign_in_links.create, digest("token"), "read")
    assert expires_at == NOW + 15 * MINUTE
    assert await ledger.write(sign_in_links.use, digest("other")) is None
    assert await ledger.write(sign_in_links.use, digest("token")) == "read"
    assert await ledger.write(sign_in_links.use, digest("token")) is None


async def test_a_link_expires(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.write(sign_in_links.create, digest("early"), "admin")
    clock.advance(15 * MINUTE)
    assert await ledger.write(sign_in_links.use, digest("early")) is None
    assert await count(ledger, links) == 1
    await ledger.write(sign_in_links.create, digest("late"), "admin")
    assert await count(ledger, links) == 1, "those that have expired are forgotten"
    clock.advance(15 * MINUTE - 1)
    assert await ledger.write(sign_in_links.use, digest("late")) == "admin"


async def test_of_two_processes_one_uses_a_link(pair: tuple[Ledger, Ledger]) -> None:
    one, other = pair
    for number in range(8):
        token = digest(str(number))
        await one.write(sign_in_links.create, token, "admin")
        used = await asyncio.gather(*(ledger.write(sign_in_links.use, token) for ledger in pair))
        assert sorted(map(str, used)) == ["None", "admin"]
    assert await count(other, links) == 0
