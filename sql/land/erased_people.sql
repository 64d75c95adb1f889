-- One row per customer who was erased, known by a keyed hash of the Id: what comes of them again is held without their
-- personal fields.
create table if not exists land.erased_people (
    person_hash varchar,
    erased_at timestamptz
);
