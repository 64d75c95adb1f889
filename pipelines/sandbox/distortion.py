"""Records written in the odd ways that live tenants have shown. Without oddities the spliced bytes go out as is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pipelines.sandbox.entities import Entry
from pipelines.sandbox.faults import share_of
from pipelines.sandbox.knobs import Knobs
from pipelines.sandbox.wire import ENCODER, encode_records, record

_ALWAYS_THERE = ("Id", "CreatedOn", "UpdatedOn")
_HALF = 0.5
_AMOUNTS = {"CoworkerInvoiceTotalAmount", "TotalAmount", "DueAmount"}
_FLAGS = {"CoworkerInvoicePaid", "CoworkerInvoiceDraft", "Paid", "Draft"}


def encode_distorted(entries: Sequence[Entry], knobs: Knobs) -> bytes:
    """The `Records` array as the knobs want it."""
    if not _is_any_odd(knobs):
        return encode_records(entries)
    return ENCODER.encode([distorted(entry, knobs) for entry in entries])


def distorted(entry: Entry, knobs: Knobs) -> dict[str, Any]:
    """One entry as the knobs want it; the same entry always comes out the same."""
    return distorted_fields(record(entry), entry.id, knobs)


def distorted_fields(fields: dict[str, Any], record_id: int, knobs: Knobs) -> dict[str, Any]:
    """The fields of a record, of whatever list, as the knobs want them."""
    if not _is_any_odd(knobs):
        return fields

    def chosen(rate: float, name: str) -> bool:
        return rate > 0 and share_of(knobs.seed, name, record_id) < rate

    _retype(fields, knobs, record_id)
    for name, value in fields.items():
        if isinstance(value, datetime):
            fields[name] = _time(value, knobs.time_form, record_id)
    if chosen(knobs.null_updated_on_rate, "null_updated_on"):
        fields["UpdatedOn"] = None
    if chosen(knobs.unknown_field_rate, "unknown_field"):
        fields["CoworkerInvoiceTaxRateName"] = {"Name": "Standard", "Rates": [20, None]}
    if chosen(knobs.wrong_type_rate, "wrong_type"):
        fields["CoworkerInvoiceId" if "CoworkerInvoiceId" in fields else "CoworkerId"] = "not a number"
    if chosen(knobs.missing_field_rate, "missing_field"):
        optional = [name for name in fields if name not in _ALWAYS_THERE]
        fields.pop(knobs.missing_field or optional[record_id % len(optional)], None)
    return fields


def _is_any_odd(knobs: Knobs) -> bool:
    rates = (
        knobs.unknown_field_rate,
        knobs.missing_field_rate,
        knobs.wrong_type_rate,
        knobs.null_updated_on_rate,
    )
    return any(rates) or (knobs.total_amount_type, knobs.flag_type, knobs.time_form) != ("plain", "plain", "z")


def _retype(fields: dict[str, Any], knobs: Knobs, record_id: int) -> None:
    """Amounts and flags as text, for all records or for some."""

    def as_text(kind: str, name: str) -> bool:
        return kind == "text" or (kind == "mixed" and share_of(knobs.seed, name, record_id) < _HALF)

    for name in _AMOUNTS & fields.keys():
        if as_text(knobs.total_amount_type, "total_amount"):
            fields[name] = str(fields[name])
    for name in _FLAGS & fields.keys():
        if as_text(knobs.flag_type, name):
            # .NET writes a boolean's text with a capital.
            fields[name] = str(fields[name])


def _time(at: datetime, form: str, entry_id: int) -> str:
    """An instant with Z, with a fraction of three or seven digits, or without a zone."""
    bare = at.strftime("%Y-%m-%dT%H:%M:%S")
    forms = {"z": f"{bare}Z", "fraction": f"{bare}.{entry_id % 1000:03d}Z", "no_zone": bare}
    if form == "mixed":
        return [*forms.values(), f"{bare}.{entry_id % 1000:03d}0000Z"][entry_id % 4]
    return forms[form]
