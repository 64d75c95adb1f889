-- Records of an entity that broke the API's contract, set aside as they came, with the reason. They are read again in
-- the minutes from_at to to_at of UpdatedOn, and leave this table once they read well or are gone from the API.
create table if not exists land.rejected_records (
    entity varchar,
    id bigint,
    reason varchar,
    raw varchar,
    content_hash varchar,
    first_seen_at timestamptz,
    seen_at timestamptz,
    from_at timestamptz,
    to_at timestamptz,
    -- Whether it ever came in a full page of which not one record could be read.
    fills_page boolean,
    try_count integer,
    tried_at timestamptz
);
