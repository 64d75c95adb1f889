"""All that a sync reads of an entity: what the ledger lacks, what was joined to it anew, and what changes unseen."""

from datetime import timedelta

from pipelines.extract.axes import UPDATED_ON
from pipelines.extract.windows import Window
from pipelines.foundation.sql_files import sql_folder
from pipelines.land.looking_up import look_up
from pipelines.land.pull import Pull, close_before_first_entry, planned_windows
from pipelines.land.refresh import windows_to_refresh
from pipelines.land.set_aside import require_pages_read


def catch_up(pull: Pull, history: Window, lookback: timedelta) -> None:
    """Bring the landed records of an entity up to the end of `history`. Raises what `Pull.read` and `look_up` raise."""
    close_before_first_entry(pull, history)
    read_newest(pull, history, lookback)
    read_further_axes(pull, history, lookback)
    look_up(pull, _keys_to_read_again(pull))
    pull.settle_set_aside(history.end)
    require_pages_read(pull.connection, pull.entity)


def read_newest(pull: Pull, history: Window, lookback: timedelta) -> None:
    """What the ledger lacks of `history`, and its newest minutes again."""
    page_size = pull.page_size
    planned = planned_windows(pull.connection, pull.entity, UPDATED_ON, history, lookback=lookback, page_size=page_size)
    pull.read(UPDATED_ON, planned)


def read_further_axes(pull: Pull, history: Window, lookback: timedelta) -> None:
    """What changed by a time field of the entity that need not move UpdatedOn."""
    connection, entity, page_size = pull.connection, pull.entity, pull.page_size
    for axis in entity.further_axes:
        pull.read(axis, windows_to_refresh(connection, entity, axis, history.end, lookback, page_size=page_size))


def _keys_to_read_again(pull: Pull) -> list[int]:
    """Keys of records that may have changed without their UpdatedOn moving, but for those that this run has just read.

    Which ones, `sql/land/read_again/<table>.sql` says; of an entity without that file, none.
    """
    file = sql_folder("land") / "read_again" / f"{pull.entity.table}.sql"
    if not file.exists():
        return []
    question = file.read_text(encoding="utf-8").rstrip().removesuffix(";")
    rows = pull.connection.execute(
        f"select record_key from ({question}) as again where seen_at < $began or $began is null order by record_key",  # noqa: S608
        {"began": pull.report.first_answered_at},
    ).fetchall()
    return [key for (key,) in rows]
