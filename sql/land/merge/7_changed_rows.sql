-- DuckDB's "by name" in a merge is unknown to the linter.
merge into land.coworker_invoice_histories as landed -- noqa: PRS
using (select * exclude (raw, is_changed, is_current) from observed where is_changed and is_current) as page
    on landed.id = page.id
when matched then update by name;
