delete from seen
where id in (select known.id from known);
