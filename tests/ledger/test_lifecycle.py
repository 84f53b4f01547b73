import pytest
from builders import NOW

from ledger.events import EVENT_OF_STATE
from ledger.job import Job
from ledger.lifecycle import (
    DELETABLE_JOB,
    DELIVERY,
    IN_FLIGHT_JOB,
    JOB,
    OPEN_DELIVERY,
    RESUBMITTABLE_JOB,
    WATCHED_JOB,
    State,
    may,
)  # fmt: skip

MACHINES = {"job": JOB, "delivery": DELIVERY}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_state_is_explained_and_leads_to_known_states(machine: dict[str, State]) -> None:
    for name, state in machine.items():
        assert state.means
        assert state.moved_by
        assert set(state.to) <= set(machine), name
        assert len(set(state.to)) == len(state.to), name


@pytest.mark.parametrize(("machine", "first"), [(JOB, "queued"), (DELIVERY, "pending")], ids=MACHINES)
def test_every_state_can_be_reached(machine: dict[str, State], first: str) -> None:
    reached, new = {first}, [first]
    if machine is DELIVERY:
        reached.add("skipped")  # a disabled subscriber's delivery begins there
    while new:
        for to in machine[new.pop()].to:
            if to not in reached:
                reached.add(to)
                new.append(to)
    assert reached == set(machine)


def test_only_the_truth_ends_a_job() -> None:
    assert [name for name, state in JOB.items() if state.final] == ["succeeded", "failed", "canceled"]
    assert not any(state.final for state in DELIVERY.values())  # a person may redeliver


def test_every_open_job_can_still_end() -> None:
    for name, state in JOB.items():
        if not state.final:
            assert may(JOB, name, "succeeded")
            assert may(JOB, name, "failed")


def test_a_paid_job_is_never_sent_again_by_itself() -> None:
    assert [name for name in JOB if may(JOB, name, "submitting")] == ["queued"]
    assert [name for name in JOB if may(JOB, name, "queued")] == ["submitting"]


def test_the_groups_name_states() -> None:
    for group in (IN_FLIGHT_JOB, WATCHED_JOB, RESUBMITTABLE_JOB, DELETABLE_JOB):
        assert set(group) <= set(JOB)
    assert set(OPEN_DELIVERY) <= set(DELIVERY)
    assert set(DELETABLE_JOB) == {"succeeded", "failed", "canceled", "lost"}
    assert set(EVENT_OF_STATE) & set(JOB) == set(JOB) - {"queued", "submitting"}


@pytest.mark.parametrize("status", JOB)
@pytest.mark.parametrize("to", JOB)
def test_a_job_moves_only_where_the_table_lets_it(status: str, to: str) -> None:
    job = Job("job_1", "dashscope", "m", status, {}, {}, {}, NOW, due_at=NOW)
    if not may(JOB, status, to):
        with pytest.raises(ValueError, match=f"from {status} to {to}"):
            job.moved(to, NOW + 1)
        return
    moved = job.moved(to, NOW + 1, task_id="t")
    assert moved._replace(status=status, due_at=job.due_at, finished_at=None, task_id=None) == job
    ended = JOB[to].final or to == "lost"
    assert moved.finished_at == (NOW + 1 if ended else None)
    assert moved.due_at == (None if ended or to == "unconfirmed" else NOW)
