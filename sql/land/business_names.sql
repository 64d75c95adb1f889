-- Names of businesses, from the user's file or from the API: one row per business that was asked for.
create table if not exists land.business_names (
    business_id bigint,
    business_name varchar,
    time_zone varchar,
    name_source varchar,
    asked_at timestamptz
);
