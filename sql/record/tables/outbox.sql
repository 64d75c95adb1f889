-- One row per entry that this program was asked to create, known by its reference, with how far it has got. Rows are
-- never removed: they are what keeps an entry from being sent twice.
create table if not exists record.outbox (
    reference varchar,
    source varchar,
    cause varchar,
    invoice_id bigint,
    name varchar,
    description varchar,
    is_problem boolean,
    notify boolean,
    state varchar,
    attempt_count integer,
    entry_id bigint,
    detail varchar,
    planned_at timestamptz,
    sent_at timestamptz,
    settles_at timestamptz,
    changed_at timestamptz
);
