-- The arithmetic that several models share. Temporary macros, made anew on each connection that builds models.

-- The calendar day of an instant in the reporting zone.
create or replace temp macro local_date(moment) as (moment at time zone getvariable('reporting_timezone'))::date;

-- A share from 0 to 1; null where there is nothing to share. Sums stay exact up to this one division.
create or replace temp macro ratio(part, whole) as (
    case when whole > 0 then part::double / whole::double end
);

-- Centre and half width of the 95 % score interval of a share (E. B. Wilson, JASA 22, 1927).
create or replace temp macro z95() as 1.959963984540054::double;

create or replace temp macro wilson_centre(share, size) as (
    (share + z95() * z95() / (2 * size)) / (1 + z95() * z95() / size)
);

create or replace temp macro wilson_half_width(share, size) as (
    z95() * sqrt(share * (1 - share) / size + z95() * z95() / (4 * size * size)) / (1 + z95() * z95() / size)
);

-- Its bounds. At 0 and at all of them one bound is exactly 0 or 1, which the arithmetic misses by a rounding.
create or replace temp macro wilson_low(part, whole) as (
    case
        when whole > 0 and part = 0 then 0.0::double
        when whole > 0
            then
                wilson_centre(ratio(part, whole), whole::double)
                - wilson_half_width(ratio(part, whole), whole::double)
    end
);

create or replace temp macro wilson_high(part, whole) as (
    case
        when whole > 0 and part = whole then 1.0::double
        when whole > 0
            then
                wilson_centre(ratio(part, whole), whole::double)
                + wilson_half_width(ratio(part, whole), whole::double)
    end
);
