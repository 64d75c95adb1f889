from datetime import UTC, datetime, timedelta

import pytest

from pipelines.sandbox.life import EVENTS

NOW = datetime(2025, 6, 30, 12, tzinfo=UTC)


def total(api):
    return api.search(size=1)["TotalItems"]


def changed(before, after):
    """Ids that came, went, and stayed with other content."""
    old, new = ({record["Id"]: record for record in truth} for truth in (before, after))
    moved = {one for one in old.keys() & new.keys() if old[one] != new[one]}
    return new.keys() - old.keys(), old.keys() - new.keys(), moved


def test_scripted_steps_happen_one_after_each_answer(api):
    whole = total(api)
    first, second = api.ids(size=2)
    api.sandbox.life.script.extend([lambda store: store.delete(first), None, lambda store: store.delete(second)])
    assert [total(api) for _ in range(5)] == [whole, whole - 1, whole - 1, whole - 2, whole - 2]


def test_a_failed_answer_is_no_answer(api):
    api.sandbox.life.script.append(lambda store: store.delete(store.by_id.items[0].id))
    whole = len(api.sandbox.store)
    api.sandbox.faults.inject("error_500")
    api.get()
    assert len(api.sandbox.store) == whole
    api.get()
    assert len(api.sandbox.store) == whole - 1


def test_a_hook_runs_after_every_answer_and_the_clock_steps(api):
    seen = []
    api.sandbox.life.on_answer = lambda store: seen.append(store.clock.now_at())
    api.sandbox.knobs.clock_step_seconds = 60
    for _ in range(3):
        api.get(size=1)
    assert seen == [NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)]


@pytest.mark.parametrize("event", EVENTS)
def test_random_life_does_what_its_knob_says(api, event):
    store = api.sandbox.store
    before, invoices = store.truth(), {one["Id"]: one for one in store.invoice_truth()}
    setattr(api.sandbox.knobs, f"{event}_rate", 2.0)
    for _ in range(3):
        api.get(size=1)
    came, went, moved = changed(before, store.truth())
    assert store.changes["insert" if "insert" in event or event == "past_stamp" else event] == 6
    new = [record for record in store.truth() if record["Id"] in came]
    match event:
        case "update":
            assert (came, went, bool(moved)) == (set(), set(), True)
            assert {store.entry(one).updated_on for one in moved} == {store.clock.now()}
        case "delete":
            assert (len(came), len(went), len(moved)) == (0, 6, 0)
            assert went == store.deleted_ids
        case "insert":
            assert {(record["CreatedOn"], record["UpdatedOn"]) for record in new} == {(NOW, NOW)}
        case "late_insert":
            assert {record["UpdatedOn"] for record in new} == {NOW}
            assert max(record["CreatedOn"] for record in new) < NOW
        case "past_stamp":
            past = NOW - timedelta(seconds=120)
            assert {(record["CreatedOn"], record["UpdatedOn"]) for record in new} == {(past, past)}
        case "part_pay" | "void" | "credit":
            assert (came, went, moved) == (set(), set(), set()), "no entry shows it"
            now = {one["Id"]: one for one in store.invoice_truth()}
            changed_ids = [one for one, invoice in invoices.items() if now[one] != invoice]
            assert 0 < len(changed_ids) <= 6
            moved_ids = [one for one in changed_ids if now[one]["UpdatedOn"] != invoices[one]["UpdatedOn"]]
            assert moved_ids == ([] if event == "part_pay" else changed_ids)
            assert len(now) - len(invoices) == (6 if event == "credit" else 0)
        case _:
            old = {record["Id"]: record["UpdatedOn"] for record in before}
            assert len(moved) >= 6
            assert all(old[record["Id"]] == record["UpdatedOn"] for record in store.truth() if record["Id"] in moved)
    assert bool(went) == (event == "delete")


def test_the_indexes_stay_true_through_much_life(api):
    for event in EVENTS:
        setattr(api.sandbox.knobs, f"{event}_rate", 1.5)
    api.sandbox.knobs.clock_step_seconds = 7
    for _ in range(60):
        api.get(size=1)
    for event in EVENTS:
        setattr(api.sandbox.knobs, f"{event}_rate", 0.0)
    truth = {record["Id"] for record in api.sandbox.store.truth()}
    everything = {"size": 1000, "to_CoworkerInvoiceHistory_UpdatedOn": "2099-01-01T00:00"}
    for order in ("Id", "CreatedOn", "UpdatedOn"):
        pages = [api.search(**everything, page=page, orderBy=order)["Records"] for page in (1, 2, 3)]
        rows = [record for page in pages for record in page]
        assert [record[order] for record in rows] == sorted(record[order] for record in rows)
        assert {record["Id"] for record in rows} == truth
        assert len(rows) == len(truth)


def test_a_deleted_row_can_come_back(api):
    gone = api.ids(size=1)[0]
    entry = api.sandbox.store.delete(gone)
    assert gone not in api.ids(size=1)
    api.sandbox.store.restore(entry)
    assert api.ids(size=1) == [gone]
    assert not api.sandbox.store.deleted_ids


def test_a_collection_batch_fills_a_minute_beyond_a_page(api):
    api.sandbox.store.collect(NOW - timedelta(hours=1), 1500)
    minute = {
        "from_CoworkerInvoiceHistory_UpdatedOn": "2025-06-30T11:00",
        "to_CoworkerInvoiceHistory_UpdatedOn": "2025-06-30T11:00:59",
    }
    answer = api.search(**minute, size=1000, orderBy="UpdatedOn")
    assert (answer["TotalItems"], answer["TotalPages"]) == (1500, 2)
    assert len({record["UpdatedOn"] for record in answer["Records"]}) == 40
