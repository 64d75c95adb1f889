-- Records of an entity that broke the API's contract, set aside as they came, with the reason.
create table if not exists land.rejected_records (
    entity varchar,
    id bigint,
    reason varchar,
    raw varchar,
    content_hash varchar,
    seen_at timestamptz
);
