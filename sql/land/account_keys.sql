-- One row: the key of the account, by which people and other Ids are known where their Ids may not stand.
create table if not exists land.account_keys (
    key varchar
);
