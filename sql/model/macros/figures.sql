-- The arithmetic that several models share. Temporary macros, made anew on each connection that builds models.

-- The calendar day of an instant in the reporting zone.
create or replace temp macro local_date(moment) as (moment at time zone getvariable('reporting_timezone'))::date;

-- A payment entered by hand carries a bare date, which arrives as midnight UTC: its day is that date in every zone.
create or replace temp macro payment_date(moment) as (
    case
        when (moment at time zone 'UTC')::time = time '00:00:00' then (moment at time zone 'UTC')::date
        else local_date(moment)
    end
);

-- A share from 0 to 1; null where there is nothing to share. Sums stay exact up to this one division.
create or replace temp macro ratio(part, whole) as (
    case when whole > 0 then part::double / whole::double end
);

-- The same where the words are understood; else no number is told.
create or replace temp macro told_ratio(no_rate_because, part, whole) as (
    case when no_rate_because is null then ratio(part, whole) end
);

create or replace temp macro z95() as 1.959963984540054::double;

-- The same quantile of Student's t (R. A. Fisher and E. A. Cornish, Technometrics 2, 1960).
create or replace temp macro t95(degrees) as (
    z95() + (pow(z95(), 3) + z95()) / (4 * degrees)
    + (5 * pow(z95(), 5) + 16 * pow(z95(), 3) + 3 * z95()) / (96 * degrees * degrees)
);

-- How many independent observations a share of clustered ones is worth. Retries of an invoice fail together, so the
-- invoice is the unit: its linearised variance (W. G. Cochran, Sampling Techniques, 1977, 6.3) against that of a share
-- of independent ones. Per invoice i there are m of which y count: the sums of yy, ym and mm over the invoices are
-- given. At 0 and 1 the variance says nothing; there, retries are taken to be worth nothing. Never more than `most`;
-- few invoices know their variance badly, so Student's t pays for it (E. L. Korn and B. I. Graubard, Survey
-- Methodology 24, 1998). Where each invoice weighs the same and was tried once it is just their number.
create or replace temp macro effective_count(share, whole, sum_yy, sum_ym, sum_mm, clusters, most) as (
    case
        when whole is null or whole <= 0 or share is null then null
        when clusters = most and sum_mm * clusters <= whole::double * whole::double * (1 + 1e-9) then most::double
        else
            greatest(
                least(
                    case
                        when share in (0, 1) then whole::double * whole::double / sum_mm
                        else
                            share * (1 - share) * whole::double * whole::double
                            / nullif(greatest(sum_yy - 2 * share * sum_ym + share * share * sum_mm, 0), 0)
                    end,
                    most::double
                )
                * case
                    when clusters > 1 and sum_mm * clusters > whole::double * whole::double * (1 + 1e-9)
                        then (clusters - 1) / clusters * pow(z95() / t95(clusters - 1), 2)
                    else 1
                end,
                1
            )
    end
);

-- Centre and half width of the 95 % score interval of a share (E. B. Wilson, JASA 22, 1927).
create or replace temp macro wilson_centre(share, size) as (
    (share + z95() * z95() / (2 * size)) / (1 + z95() * z95() / size)
);

create or replace temp macro wilson_half_width(share, size) as (
    z95() * sqrt(share * (1 - share) / size + z95() * z95() / (4 * size * size)) / (1 + z95() * z95() / size)
);

-- Its bounds. At 0 and at 1 one bound is exactly 0 or 1, which the arithmetic misses by a rounding.
create or replace temp macro wilson_low(share, size) as (
    case when share = 0 then 0.0::double else wilson_centre(share, size) - wilson_half_width(share, size) end
);

create or replace temp macro wilson_high(share, size) as (
    case when share = 1 then 1.0::double else wilson_centre(share, size) + wilson_half_width(share, size) end
);

-- How far the difference of two shares reaches down and up from its estimate, at 95 %, from the intervals of the two
-- (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10). With the shares swapped it is the reach up.
create or replace temp macro newcombe_reach(share, low, other_share, other_high) as (
    sqrt(pow(share - low, 2) + pow(other_high - other_share, 2))
);

-- The two-sided tail of the normal distribution beyond z: W. H. Press and others, Numerical Recipes, 6.2 (erfcc).
create or replace temp macro erfcc(z, t) as (
    t * exp(
        -z * z / 2 - 1.26551223 + t * (
            1.00002368 + t * (
                0.37409196 + t * (
                    0.09678418 + t * (
                        -0.18628806 + t * (
                            0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))
                        )
                    )
                )
            )
        )
    )
);

create or replace temp macro beyond_z(z) as erfcc(z, 1 / (1 + 0.5 * z / sqrt(2)));

-- How likely chance alone moves a share that far: the difference in units of its interval's reach towards 0.
create or replace temp macro change_chance(difference, reach_down, reach_up) as (
    case
        when difference = 0 then 1.0::double
        when difference > 0 then beyond_z(z95() * difference / nullif(reach_down, 0))
        else beyond_z(-z95() * difference / nullif(reach_up, 0))
    end
);

-- Of a row of counts as in `wording_days`: whether no rule explains more than a tenth of its entries, of those flagged
-- or of its paid invoices. No rate is told then.
create or replace temp macro is_little_understood(counts) as (
    10 * counts.unexplained_entry_count > counts.entry_count
    or 10 * counts.unexplained_flagged_entry_count > counts.flagged_entry_count
    or 10 * counts.unexplained_paid_invoice_count > counts.paid_invoice_count
);
