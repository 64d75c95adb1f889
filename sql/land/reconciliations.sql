-- One row per reconciliation of an entity: the scope that was compared with the API, and what had been missed or was
-- gone.
create table if not exists land.reconciliations (
    entity varchar,
    run_id varchar,
    reconciled_at timestamptz,
    scope_from_at timestamptz,
    scope_to_at timestamptz,
    missed_count bigint,
    changed_count bigint,
    deleted_count bigint,
    returned_count bigint
);
