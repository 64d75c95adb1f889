"""A sandbox's account and its warehouse, synced as the landing asset does it."""

from datetime import UTC, datetime, timedelta

from pipelines.extract.histories import HISTORIES
from pipelines.extract.windows import MINUTE, Window, floor_minute
from pipelines.land.catching_up import read_newest
from pipelines.land.pull import Pull, close_before_first_entry
from pipelines.land.set_aside import require_pages_read
from pipelines.land.status import read_status
from pipelines.land.total_count import land_missed

PAGE = 50


class SyncedAccount:
    def __init__(self, connection, sandbox, source):
        self.connection, self.sandbox, self.source = connection, sandbox, source
        self.run_count = 0

    def sync(self):
        """What the landing asset does; how many questions it took."""
        self.run_count += 1
        asked = self.sandbox.requests.data_count
        pull, history = self.pull(), self.history()
        close_before_first_entry(pull, history)
        read_newest(pull, history, 60 * MINUTE)
        pull.settle_set_aside(history.end)
        land_missed(pull, history)
        require_pages_read(self.connection, HISTORIES)
        return self.sandbox.requests.data_count - asked

    def pull(self):
        return Pull(self.connection, self.source, page_size=PAGE, run_id=f"run {self.run_count}", settle=5 * MINUTE)

    def history(self):
        return Window(datetime(2012, 1, 1, tzinfo=UTC), floor_minute(self.sandbox.clock.now_at()) - 5 * MINUTE)

    def lacks(self):
        """Ids that the API has and that are not here."""
        ids = self.connection.execute("select id from land.coworker_invoice_histories").fetchall()
        return {row["Id"] for row in self.sandbox.store.truth()} - {one for (one,) in ids}

    def passes(self, **time):
        self.sandbox.clock.advance(timedelta(**time))

    def status(self):
        now = self.sandbox.clock.now_at()
        return read_status(self.connection, HISTORIES, self.history().start, now, now)
