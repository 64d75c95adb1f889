-- One row each time the tables were made or brought up to date: up to which migration, and by which program.
create table if not exists land.layout (
    version integer,
    program_version varchar,
    reached_at timestamptz
);
