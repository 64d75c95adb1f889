-- The addresses of the API that the rows were read from, newest last; more than one where the address was changed on
-- purpose.
create table if not exists land.account (
    host varchar,
    remembered_at timestamptz
);
