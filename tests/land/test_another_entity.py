"""An entity that nobody foresaw is landed, refreshed and reconciled by adding its description, beside the entries."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter

import msgspec
import pytest

from pipelines.errors import RefusedError
from pipelines.extract.axes import UPDATED_ON, Axis
from pipelines.extract.client import NexudusClient
from pipelines.extract.entity import Entity, Lookup
from pipelines.extract.entity_source import EntitySource
from pipelines.extract.histories import HISTORIES
from pipelines.extract.records import Contract, Record
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land import ledger
from pipelines.land.layout import create_tables
from pipelines.land.pull import Pull, close_before_first_entry, planned_windows
from pipelines.land.reconcile import reconcile
from pipelines.land.refresh import windows_to_refresh
from pipelines.land.runs import recorded_run
from pipelines.land.status import read_status
from pipelines.land.warehouse import open_warehouse, warehouse_of
from pipelines.sandbox.listing import Listing, Table
from pipelines.sandbox.operators import make_operator
from pipelines.sandbox.sorted_index import SortedIndex
from pipelines.sandbox.wire import ENCODER, instant

NOON = datetime(2025, 6, 30, 12, tzinfo=UTC)  # where the sandbox's clock stands
SETTLE = 5 * MINUTE


class TicketRecord(Record, kw_only=True):
    subject: str | None = None
    fee: Decimal | None = None
    seat_count: int | None = None
    is_closed: bool | None = None
    closed_on: datetime | None = None
    has_door_code: bool | None = msgspec.field(default=None, name="DoorCode")


TICKETS = Entity(
    name="SupportTicket",
    noun="tickets",
    path="/api/support/tickets",
    contract=Contract(TicketRecord, presence_only={"DoorCode"}, keeps_undocumented=False),
    table="support_tickets",
    versions_table="support_ticket_versions",
    lookup=Lookup("id", "id", most_keys=50),
    further_axes=(Axis("ClosedOn", "closed_on"),),
)


# What the server has: the rows, and how they can be asked for.


@dataclass(eq=False)
class Ticket:
    id: int
    created_on: int
    updated_on: int
    closed_on: int | None = None

    def record(self):
        return {
            "Id": self.id,
            "UniqueId": f"ticket-{self.id}",
            "UpdatedOn": instant(self.updated_on),
            "CreatedOn": instant(self.created_on),
            "UpdatedBy": "admin@example.com",
            "Subject": f"Lamp {self.id}",
            "Fee": Decimal(self.id).scaleb(-2),
            "SeatCount": self.id % 4,
            "IsClosed": self.closed_on is not None,
            "ClosedOn": instant(self.closed_on),
            "DoorCode": f"canary{self.id}" if self.id % 2 else "",
            "AlarmCode": f"canary{self.id}",
        }


class Tickets:
    """The server's table of tickets, with the indexes that its list goes by."""

    def __init__(self, sandbox, count):
        first = int((NOON - timedelta(days=50)).timestamp())
        tickets = [Ticket(i + 1, first + i * 3607, first + i * 3607) for i in range(count)]
        self.by_id = SortedIndex(lambda one: one.id, tickets)
        self.by_created_on = SortedIndex(lambda one: one.created_on, tickets)
        self.by_updated_on = SortedIndex(lambda one: one.updated_on, tickets)
        names = {"Id": "id", "CreatedOn": "created_on", "UpdatedOn": "updated_on", "ClosedOn": "closed_on"}
        listing = Listing(
            name=TICKETS.name,
            path=TICKETS.path,
            values={wire: attrgetter(name) for wire, name in names.items()},
            kinds={"Id": "integers"} | dict.fromkeys(("CreatedOn", "UpdatedOn", "ClosedOn"), "instant"),
            equalities={"id": "Id"},
            range_fields=("CreatedOn", "UpdatedOn", "ClosedOn"),
        )
        sandbox.tables[TICKETS.path] = Table(
            listing,
            sandbox.store.lock,
            {"UpdatedOn": self.by_updated_on, "CreatedOn": self.by_created_on, "Id": self.by_id},
            lambda some, _: ENCODER.encode([one.record() for one in some]),
            by_value={"Id": lambda ids: [one for key in ids for one in self.by_id.between(key, key + 1)]},
        )

    def __getitem__(self, ticket_id):
        return self.by_id.between(ticket_id, ticket_id + 1)[0]

    def delete(self, ticket_id):
        ticket = self[ticket_id]
        for index in (self.by_id, self.by_created_on, self.by_updated_on):
            index.remove(ticket)

    def truth(self):
        records = [one.record() for one in self.by_id.items]
        return {one["Id"]: (one["Subject"], one["Fee"], one["ClosedOn"]) for one in records}


# What we do, for any entity alike.


class Syncs:
    def __init__(self, connection, client, settings, sandbox):
        self.connection, self.client, self.settings, self.sandbox = connection, client, settings, sandbox
        self.run_count = 0

    @contextmanager
    def run(self, entity, kind):
        self.run_count += 1
        source = EntitySource(self.client, self.settings, entity)
        alone = warehouse_of(self.settings).writing_alone
        pull = Pull(self.connection, source, 100, f"run {self.run_count}", SETTLE, writing_alone=alone)
        with recorded_run(pull, self.client, kind):
            yield pull

    def read_newest(self, pull):
        history = Window(datetime(2012, 1, 1, tzinfo=UTC), floor_minute(self.sandbox.clock.now_at()) - SETTLE)
        close_before_first_entry(pull, history)
        lookback = {"lookback": 60 * MINUTE, "page_size": 100}
        pull.read(UPDATED_ON, planned_windows(self.connection, pull.entity, UPDATED_ON, history, **lookback))
        return history

    def sync(self, entity):
        with self.run(entity, "sync") as pull:
            until = self.read_newest(pull).end
            for axis in entity.further_axes:
                pull.read(axis, windows_to_refresh(self.connection, entity, axis, until, 60 * MINUTE))
        return pull.report

    def reconcile(self, entity):
        with self.run(entity, "reconcile") as pull:
            self.read_newest(pull)
            closed = ledger.closed_windows(self.connection, entity, UPDATED_ON)
            reconcile(pull, Window(closed[0].start, closed[-1].end), lambda: self.read_newest(pull))
        return pull.report

    def all(self, query):
        return self.connection.execute(query).fetchall()


@pytest.fixture
def sandbox_operator():
    return make_operator(size=400, months=2)


@pytest.fixture
def tickets(sandbox):
    sandbox.clock.advance(timedelta(minutes=10))
    return Tickets(sandbox, 730)


@pytest.fixture
def syncs(sandbox, tickets, settings_for):
    settings = settings_for(sandbox)
    with NexudusClient(settings) as client, open_warehouse(settings) as connection:
        create_tables(connection, (HISTORIES, TICKETS))
        yield Syncs(connection, client, settings, sandbox)


def landed(syncs):
    rows = syncs.all("select id, subject, fee, closed_on from land.support_tickets where deleted_at is null")
    return {row_id: tuple(values) for row_id, *values in rows}


def test_a_described_entity_is_landed_refreshed_and_reconciled(sandbox, tickets, syncs):
    assert syncs.sync(TICKETS).rows.new == 730
    assert landed(syncs) == tickets.truth()

    tickets[5].closed_on = int(sandbox.clock.now())  # and its UpdatedOn does not move
    tickets.delete(7)
    sandbox.clock.advance(timedelta(hours=3))
    syncs.sync(TICKETS)
    assert landed(syncs)[5] == tickets.truth()[5]

    assert syncs.reconcile(TICKETS).deleted_count == 1
    assert landed(syncs) == tickets.truth()


def test_two_entities_keep_apart_what_was_read_of_them(sandbox, tickets, syncs):
    syncs.sync(TICKETS)
    assert ledger.closed_windows(syncs.connection, HISTORIES, UPDATED_ON) == []
    assert syncs.sync(HISTORIES).rows.new == len(sandbox.store)
    tickets.delete(7)
    syncs.reconcile(TICKETS)

    now = sandbox.clock.now_at()
    entries, states = (read_status(syncs.connection, one, now, None, now) for one in (HISTORIES, TICKETS))
    assert (entries.row_count, entries.deleted_count, entries.reconciled_at) == (len(sandbox.store), 0, None)
    assert (states.row_count, states.deleted_count, states.last_run.kind) == (729, 1, "reconcile")
    for table in ("windows", "runs"):
        assert syncs.all(f"select distinct entity from land.{table} order by 1") == [(HISTORIES.name,), (TICKETS.name,)]
    assert syncs.all("select entity, deleted_count from land.reconciliations") == [(TICKETS.name, 1)]


def test_what_must_not_be_kept_is_in_no_column_version_or_rejected_record(sandbox, tickets, syncs):
    tickets[3].record = lambda: Ticket.record(tickets[4]) | {"Id": 3, "UpdatedOn": "soon", "DoorCode": "canary"}
    syncs.sync(TICKETS)

    kept = ("support_tickets", "support_ticket_versions", "rejected_records")
    assert not [table for table in kept if "canary" in str(syncs.all(f"select * from land.{table}"))]
    doors = dict(syncs.all("select id, has_door_code from land.support_tickets where id in (1, 2)"))
    assert doors == {1: True, 2: False}
    (raw,) = syncs.all("select raw from land.support_ticket_versions where id = 1")[0]
    assert json.loads(raw)["DoorCode"] is True
    assert syncs.all("select entity, id from land.rejected_records") == [(TICKETS.name, 3)]


def test_a_typed_row_can_be_made_again_from_its_raw_json(tickets, syncs):
    syncs.sync(TICKETS)
    for (raw,) in syncs.all("select raw from land.support_ticket_versions limit 20"):
        record = TICKETS.contract.read(raw.encode())
        (row,) = syncs.all(f"select subject, fee, has_door_code from land.support_tickets where id = {record.id}")
        assert row == (record.subject, record.fee, record.has_door_code)


def test_a_lost_role_is_named(sandbox, tickets, syncs):
    sandbox.knobs.roles = "CoworkerInvoiceHistory-List"
    with pytest.raises(RefusedError, match="`SupportTicket-List`"):
        syncs.sync(TICKETS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lookup": Lookup("door", "door")}, "no column door"),
        ({"further_axes": (Axis("OpenedOn", "opened_on"),)}, "no column opened_on"),
        ({"table": "tickets; drop table land.windows"}, "cannot be the name"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(TICKETS, **changes)
