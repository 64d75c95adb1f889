-- The kinds that an entry can be of: those of the rules, and what no rule knows.
select kind from entry_rules
union
select unnest(['other', 'other_problem']) as kind
order by kind
