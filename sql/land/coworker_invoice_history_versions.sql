-- Append-only: the raw JSON of each content a record was seen with, and when. From it a better typed layer can be
-- rebuilt without the API.
create table if not exists land.coworker_invoice_history_versions (
    id bigint,
    updated_on timestamptz,
    seen_at timestamptz,
    content_hash varchar,
    raw json
);
