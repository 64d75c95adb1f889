"""Several ranges read at once, each by its own thread, within the one pace of the client."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

from pipelines.extract.checked_answers import Step

_DONE = object()


def side_by_side(readers: Iterable[Iterator[Step]], workers: int, most_waiting: int) -> Iterator[list[Step]]:
    """The steps of all readers as they come: whatever has come since the last time, so that a taker keeps up.

    At most `most_waiting` steps wait to be taken, and one more a worker, so memory stays flat. The first error of any
    reader is raised once what came before it was yielded; the others then stop.
    """
    readers = list(readers)
    if len(readers) == 1 or workers == 1:
        for reader in readers:
            yield from ([step] for step in reader)
        return
    todo: queue.SimpleQueue[Iterator[Step]] = queue.SimpleQueue()
    for reader in readers:
        todo.put(reader)
    done: queue.Queue[object] = queue.Queue(maxsize=most_waiting)
    stop = threading.Event()
    # Daemons: an interrupted run ends at once and does not wait for the answers under way.
    threads = [threading.Thread(target=_work, args=(todo, done, stop), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield from _as_they_come(done, workers)
    finally:
        stop.set()


def _as_they_come(done: "queue.Queue[object]", workers: int) -> Iterator[list[Step]]:
    while workers:
        steps: list[Step] = []
        errors: list[BaseException] = []
        for item in [done.get(), *islice(_waiting(done), done.maxsize)]:
            if isinstance(item, Step):
                steps.append(item)
            elif isinstance(item, BaseException):
                errors.append(item)
            else:
                workers -= 1
        if steps:
            yield steps
        if errors:
            raise errors[0]


def _waiting(done: "queue.Queue[object]") -> Iterator[object]:
    with suppress(queue.Empty):
        while True:
            yield done.get_nowait()


def _work(todo: "queue.SimpleQueue[Iterator[Step]]", done: "queue.Queue[object]", stop: threading.Event) -> None:
    end: object = _DONE
    try:
        while not stop.is_set():
            for step in todo.get_nowait():
                _put(done, step, stop)
                if stop.is_set():
                    return
    except queue.Empty:
        pass
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that reads
        end = error
    _put(done, end, stop)


def _put(done: "queue.Queue[object]", item: object, stop: threading.Event) -> None:
    """Hand over, unless nobody takes the steps any more: then what a worker still meets with is no one's concern."""
    while not stop.is_set():
        try:
            done.put(item, timeout=0.1)
        except queue.Full:
            continue
        else:
            return
