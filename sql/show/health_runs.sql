-- The newest runs that read something.
select
    entity,
    run_id,
    ended_at,
    window_count,
    row_count,
    request_count,
    read_until_at,
from sync_runs
order by ended_at desc
limit getvariable('limit')
