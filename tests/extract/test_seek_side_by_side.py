"""Ranges read side by side: every step comes, the first error ends it, and no thread speaks after that."""

import threading
import time

import pytest

from pipelines.extract.checked_answers import Step
from pipelines.extract.side_by_side import side_by_side


def reader(*steps, fails=None, waits=0.0):
    for step in steps:
        time.sleep(waits)
        yield Step(step, None)
    if fails:
        raise fails


def answers(taken):
    return [step.answer for steps in taken for step in steps]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_every_step_of_every_range_comes(workers):
    readers = [reader(*range(10 * i, 10 * i + i)) for i in range(6)]

    assert sorted(answers(side_by_side(readers, workers, workers))) == [10 * i + k for i in range(6) for k in range(i)]


def test_the_steps_of_one_range_keep_their_order():
    seen = answers(side_by_side([reader(*range(50)), reader(*range(100, 150))], 2, 2))

    assert [one for one in seen if one < 100] == list(range(50))


def test_an_error_comes_after_what_its_range_had_and_ends_the_others():
    seen = []
    readers = [reader(1, 2, fails=ValueError("broken")), reader(*range(10, 10_000), waits=0.001)]
    with pytest.raises(ValueError, match="broken"):
        seen.extend(step.answer for steps in side_by_side(readers, 2, 2) for step in steps)

    assert {1, 2} <= set(seen)
    assert len(seen) < 5000


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_meets_an_error_after_the_end_says_nothing():
    closed = threading.Event()

    def reads_on_a_closed_connection():
        closed.wait(5)
        raise OSError("the connection is closed")
        yield

    with pytest.raises(ValueError, match="broken"):
        list(side_by_side([reader(fails=ValueError("broken")), reads_on_a_closed_connection()], 2, 2))
    closed.set()
    time.sleep(0.3)

    assert not any(thread.name.endswith("(_work)") for thread in threading.enumerate())


def test_no_more_steps_wait_to_be_taken_than_may():
    made = []

    def counts():
        for number in range(100):
            made.append(number)
            yield Step(number, None)

    steps = side_by_side([counts(), counts()], 2, 2)
    next(steps)
    time.sleep(0.3)

    assert len(made) <= (1 + 2) + 2 + 2
    steps.close()


def test_a_slow_taker_gets_what_has_come_meanwhile_at_once():
    taken = []
    for steps in side_by_side([reader(*range(20)), reader(*range(20))], 2, 2):
        taken.append(len(steps))
        time.sleep(0.02)

    assert sum(taken) == 40
    assert len(taken) < 30
    assert max(taken) <= 3
