-- When and where a record that was set aside is read again. Version 0.1.0 kept neither: the minute is in the raw JSON.
alter table land.rejected_records add column first_seen_at timestamptz;
alter table land.rejected_records add column from_at timestamptz;
alter table land.rejected_records add column to_at timestamptz;
alter table land.rejected_records add column fills_page boolean;
alter table land.rejected_records add column try_count integer;
alter table land.rejected_records add column tried_at timestamptz;
update land.rejected_records
set
    first_seen_at = seen_at,
    from_at = date_trunc('minute', try_cast(regexp_extract(raw, '"UpdatedOn"\s*:\s*"([^"]+)"', 1) as timestamptz)),
    fills_page = false,
    try_count = 0,
    tried_at = seen_at;
update land.rejected_records set to_at = from_at + interval 1 minute;
