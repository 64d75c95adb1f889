-- dbt's models/sources.yml, made from the dictionary and the promises in the published file itself, as JSON, which is YAML
-- too. Promises that dbt has a test for become data tests: `dbt test` then checks the file as you got it.
with tests as (
    select
        table_name,
        unnest(string_split(regexp_replace(promise, '^(unique|not null|accepted): | in \(.*$', '', 'g'), ', ')) as column_name,
        case
            when promise like 'not null: %' then '"not_null"'::json
            when promise like 'unique: %' then '"unique"'::json
            else
                to_json(
                    {accepted_values: {arguments: {values: string_split(regexp_extract(promise, '\((.*)\)$', 1), ', ')}}}
                )
        end as test
    from data_checks
    where regexp_matches(promise, '^not null: |^unique: \w+$|^accepted: \w+ in \(')
),

columns as (
    select
        data_dictionary.table_name,
        data_dictionary.column_name,
        any_value(data_dictionary.data_type) as data_type,
        any_value(data_dictionary.description) as description,
        coalesce(
            list(tests.test order by tests.test::varchar)
                filter (where tests.test is not null and not data_dictionary.is_personal),
            []
        ) as data_tests,
        any_value(made.column_index) as place
    from data_dictionary
    inner join duckdb_columns() as made
        on data_dictionary.table_name = made.table_name and data_dictionary.column_name = made.column_name
    left join tests
        on data_dictionary.table_name = tests.table_name and data_dictionary.column_name = tests.column_name
    where made.database_name = current_database()
    group by data_dictionary.table_name, data_dictionary.column_name
),

tables as (
    select
        columns.table_name as name,
        any_value(made.comment) as description,
        list(
            {name: columns.column_name, data_type: columns.data_type, description: columns.description, data_tests: columns.data_tests}
            order by columns.place
        ) as columns
    from columns
    inner join duckdb_tables() as made on columns.table_name = made.table_name
    where made.database_name = current_database()
    group by columns.table_name
)

select
    json_pretty(
        to_json(
            {
                version: 2,
                sources: [
                    {
                        name: 'nexudus',
                        database: 'nexudus',
                        schema: 'main',
                        tables: (select list(tables order by name) from tables),
                    },
                ],
            }
        )
    )
