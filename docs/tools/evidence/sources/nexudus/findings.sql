select
    finding_number,
    finding
from findings
