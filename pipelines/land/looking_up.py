"""Records looked up by their key, whatever their time, and landed as they are now.

For those that no range shows to have changed: gone, moved, or paid without a new UpdatedOn.
"""

from collections.abc import Iterable, Iterator, Sequence

from pipelines.errors import IgnoredFilterError
from pipelines.extract.axes import UPDATED_ON, Filters
from pipelines.extract.checked_answers import Step
from pipelines.extract.failures import BadRequestError, PageShrunkError
from pipelines.extract.records import Record, SearchAnswer
from pipelines.land.pull import Pull


def look_up(pull: Pull, keys: Iterable[int]) -> set[int]:
    """Land the records with these keys; returns the Ids that the API lists.

    It need not find as many at once as are named: what it left out is asked for again as long as that finds more, and
    one by one where it takes no list. Raises IgnoredFilterError, and what the client raises.
    """
    listed: set[int] = set()
    missing, most = sorted(set(keys)), pull.entity.lookup.most_keys
    while missing:
        found: set[int] = set()
        try:
            for start in range(0, len(missing), most):
                for answer in _answers(pull, missing[start : start + most]):
                    found |= {pull.entity.key(record) for record in answer.records}
                    found |= {record.id for record in answer.rejected if record.id is not None}
                    listed |= answer.ids
                    _take_back_in_time(pull, answer)
                    pull.land(UPDATED_ON, Step(answer, None))
        except PageShrunkError:
            continue
        except (IgnoredFilterError, BadRequestError):
            if most == 1:
                raise
            most = 1
        else:
            if most == 1 or not found:
                break
        missing = [key for key in missing if key not in found]
    return listed


def _answers(pull: Pull, keys: Sequence[int]) -> Iterator[SearchAnswer]:
    filters, page, is_more = Filters(keys=tuple(keys)), 0, True
    while is_more:
        page += 1
        answer = pull.source.search(filters, page=page, size=pull.page_size, order_by="Id", direction=0)
        if any(pull.entity.key(record) not in filters.keys for record in answer.records):
            raise IgnoredFilterError(
                f"The API seems to ignore the filter {pull.entity.lookup.parameter}: run `nexudus-billing doctor`. "
                "Nothing was marked as gone."
            )
        yield answer
        is_more = answer.has_next_page and answer.record_count > 0


def held_with_later_stamp(pull: Pull, answer: SearchAnswer) -> list[Record]:
    """Those of an answer's records that we hold with a later UpdatedOn, by a second or more."""
    stamps = {record.id: record.touched_at for record in answer.records}
    rows = pull.connection.execute(
        f"""
        select landed.id
        from {pull.entity.rows} as landed
        inner join (select unnest($ids::bigint[]) as id, unnest($stamps::timestamptz[]) as updated_on) as now_there
            on landed.id = now_there.id
                and date_trunc('second', landed.updated_on) > date_trunc('second', now_there.updated_on)
        """,  # noqa: S608 - names of our own
        {"ids": list(stamps), "stamps": list(stamps.values())},
    ).fetchall()
    ids = {row_id for (row_id,) in rows}
    return [record for record in answer.records if record.id in ids]


def _take_back_in_time(pull: Pull, answer: SearchAnswer) -> None:
    """Let records be replaced that we hold with a later `updated_on` than the API has now, as after a backup."""
    went_back = held_with_later_stamp(pull, answer)
    if went_back:
        pull.connection.execute(
            f"""
            update {pull.entity.rows} as landed
            set updated_on = now_there.updated_on
            from (select unnest($ids::bigint[]) as id, unnest($stamps::timestamptz[]) as updated_on) as now_there
            where landed.id = now_there.id
            """,  # noqa: S608 - names of our own
            {"ids": [record.id for record in went_back], "stamps": [record.touched_at for record in went_back]},
        )
