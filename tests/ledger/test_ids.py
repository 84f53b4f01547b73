import uuid

from builders import NOW
from hypothesis import given
from hypothesis import strategies as st

from ledger.ids import Ids, is_id, span

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LATEST = 2**48 - 1


def decoded(text: str) -> uuid.UUID:
    value = 0
    for letter in text.partition("_")[2]:
        value = value * 32 + ALPHABET.index(letter)
    return uuid.UUID(int=value)


def test_an_id_is_a_uuid7_of_its_time() -> None:
    made = Ids().new("job", NOW)
    assert is_id(made, "job")
    assert len(made) == len("job_") + 26
    read = decoded(made)
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == NOW


def test_the_typeid_specification_writes_a_uuid_this_way() -> None:
    read = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")  # TypeID 0.3, "prefix_01h455vb4pex5vsknk084sn02q"
    assert decoded("prefix_01h455vb4pex5vsknk084sn02q") == read
    assert is_id("prefix_01h455vb4pex5vsknk084sn02q", "prefix")


@given(st.lists(st.integers(0, LATEST), min_size=1, max_size=50), st.binary(min_size=10, max_size=10))
def test_ids_never_repeat_and_never_go_back_whatever_the_clock_does(times: list[int], same: bytes) -> None:
    ids = Ids(lambda count: same[:count])
    made = [ids.new("cb", now) for now in times]
    assert made == sorted(set(made))
    assert all(is_id(one, "cb") for one in made)


def test_ten_thousand_within_a_millisecond_are_in_order() -> None:
    ids = Ids()
    made = [ids.new("dlv", NOW) for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {decoded(one).int >> 80 for one in made} == {NOW}


def test_two_processes_make_different_ids() -> None:
    assert Ids().new("job", NOW) != Ids().new("job", NOW)


def test_what_could_be_no_id_is_told_apart() -> None:
    good = Ids().new("job", NOW)
    for bad in ("", "job_", good[:-1], good + "0", good.upper(), good.replace("job", "sub"), good[:-1] + "u",
                "job_8" + good[5:], good + "\n", "job-" + good[4:]):  # fmt: skip
        assert not is_id(bad, "job")


def test_what_was_made_together_is_found_by_its_time() -> None:
    ids = Ids()
    before = ids.new("dlv", NOW - 1)
    about = ids.new("ntf", NOW)
    made = [ids.new("dlv", NOW) for _ in range(3)]
    later = ids.new("ntf", NOW + 5)
    last = ids.new("dlv", NOW + 5)
    after = ids.new("dlv", NOW + 6)
    earliest, latest = span("dlv", about, about)
    assert [earliest < one < latest for one in (before, *made, last)] == [False, True, True, True, False]
    earliest, latest = span("dlv", about, later)
    assert [earliest < one < latest for one in (before, *made, last, after)] == [False, True, True, True, True, False]
