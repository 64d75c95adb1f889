-- dbt's models/sources.yml, made from the dictionary and the promises in the published file itself, as JSON, which is
-- YAML too. Promises that dbt has a test for become data tests: `dbt test` then checks the file as you got it.
with promises as (
    select
        table_name,
        promise,
        unnest(
            string_split(regexp_replace(promise, '^(unique|not null|accepted): | in \(.*$', '', 'g'), ', ')
        ) as column_name
    from data_checks
    where regexp_matches(promise, '^not null: |^unique: \w+$|^accepted: \w+ in \(')
),

tests as (
    select
        table_name,
        column_name,
        case
            when promise like 'not null: %' then to_json('not_null')
            when promise like 'unique: %' then to_json('unique')
            else
                json_object(
                    'accepted_values',
                    json_object(
                        'arguments',
                        json_object('values', string_split(regexp_extract(promise, '\((.*)\)$', 1), ', '))
                    )
                )
        end as data_test
    from promises
),

column_tests as (
    select
        table_name,
        column_name,
        list(data_test order by data_test::varchar) as data_tests
    from tests
    group by table_name, column_name
),

tested_columns as (
    select
        meanings.table_name,
        made.column_index,
        json_object(
            'name', meanings.column_name,
            'data_type', meanings.data_type,
            'description', meanings.description,
            'data_tests', if(meanings.is_personal, [], coalesce(column_tests.data_tests, []))
        ) as described
    from data_dictionary as meanings
    inner join duckdb_columns() as made
        on meanings.table_name = made.table_name and meanings.column_name = made.column_name
    left join column_tests
        on meanings.table_name = column_tests.table_name and meanings.column_name = column_tests.column_name
    where made.database_name = current_database()
),

described_tables as (
    select
        json_object(
            'name', tested_columns.table_name,
            'description', any_value(made.comment),
            'columns', list(tested_columns.described order by tested_columns.column_index)
        ) as described
    from tested_columns
    inner join duckdb_tables() as made on tested_columns.table_name = made.table_name
    where made.database_name = current_database()
    group by tested_columns.table_name
),

sources as (
    select
        json_object(
            'name', 'nexudus',
            'database', 'nexudus',
            'schema', 'main',
            'tables', list(described order by described::varchar)
        ) as described
    from described_tables
)

select json_pretty(json_object('version', 2, 'sources', list(described)))
from sources
