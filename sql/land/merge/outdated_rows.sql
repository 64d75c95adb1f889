-- Out and in again: an update of thirty columns of rows that lie all over a large table takes forty times as long.
delete from land.entity_rows
where
    id in (
        select observed.id
        from observed
        where observed.is_changed and observed.is_current
    );
