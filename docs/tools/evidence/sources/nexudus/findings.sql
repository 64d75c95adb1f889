select * from findings
