"""A small warehouse whose people have names that occur nowhere else."""

# ruff: noqa: RUF001 - full-width letters and signs are meant

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl

from pipelines.foundation.frames import readable
from pipelines.land.layout import create_tables
from pipelines.model.building import build_all

CANARIES = ("Zanthippe", "Quillfeather", "Brightwhistle", "ops-nightjar")
# What people write into titles and texts, by kind: what must not be seen again, and a sentence that holds it.
WRITTEN = {
    "the customer": ("Quillfeather", "FAILED: Insufficient funds. Zanthippe Quillfeather, card 4711."),
    "in capitals": ("QUILLFEATHER", "PAYMENT FAILED FOR QUILLFEATHER"),
    "possessive": ("Quillfeather's", "Quillfeather's card has expired."),
    "another person": ("Vandersloot", "Paid by Orlaithe Vandersloot instead."),
    "a first name": ("Orlaithe", "Orlaithe will pay on Friday."),
    "a relative": ("Thaddeus", "Her brother Thaddeus will pay."),
    "a company": ("Brackenmoor", "Payment received from Brackenmoor Holdings Ltd"),
    "inflected": ("Kowalczykowej", "Rozmowa z panią Kowalczykowej o płatności"),
    "compound": ("Quillfederhaus", "Mahnung an Quillfederhausverwaltung gesendet"),
    "hyphenated": ("Sophronia", "Called Anne-Sophronia; no answer"),
    "diacritics": ("Müllerová", "Zpráva pro paní Müllerová"),
    "decomposed": ("Mu\u0308llerova\u0301", "FAILED: Insufficient funds. Mu\u0308llerova\u0301 called."),
    "zero width": ("feather", "Spoke to Quill\u200bfeather"),
    "full width": ("Ｑｕｉｌｌ", "Spoke to Ｑｕｉｌｌ"),
    "Japanese": ("山田太郎", "山田太郎さんの支払いに失敗しました"),
    "Chinese": ("王小明", "付款失败：王小明"),
    "Korean": ("김철수", "결제 실패: 김철수 고객"),
    "Thai": ("สมชาย", "การชำระเงินล้มเหลว สมชาย"),
    "Arabic": ("الفاسي", "فشل الدفع من محمد الفاسي"),
    "Hebrew": ("אברהמי", "התשלום נכשל אברהמי"),
    "Cyrillic": ("Соколовой", "Оплата от Соколовой не прошла"),
    "Greek": ("Παπαδοπούλου", "Αποτυχία πληρωμής Παπαδοπούλου"),
    "e-mail": ("nightjar.owl", "Wrote to nightjar.owl@larkspur.example"),
    "phone": ("7700900123", "Call +447700900123 back"),
    "IBAN": ("BUKB20201555", "Debit from GB33BUKB20201555555555 refused"),
    "address": ("Larkspur Crescent", "Lives at 12 Larkspur Crescent, NW1 6XE"),
    "an illness": ("leukaemia", "Customer has leukaemia and asked for time."),
    "a birthday": ("17-03-1984", "Born 17-03-1984"),
    "a web page": ("larkspur.example", "See https://larkspur.example/zanthippe"),
    "a nickname": ("zanthi_q", "Ask @zanthi_q"),
}
START = datetime(2025, 1, 6, 9, tzinfo=UTC)
TEXTS = (
    ("Invoice sent", "Invoice was sent to zanthippe@quillfeather.example for Zanthippe Quillfeather.", False),
    ("Payment Result", "AWAITING: Waiting for the money to clear from the customer's account.", False),
    ("Payment Result", "FAILED: Insufficient funds. Zanthippe Quillfeather, card 4711.", True),
    ("Payment Result", "SUCCESS: The payment was collected.", False),
    ("=cmd|' /C calc'!A0", "<script>alert('Robert'); drop table invoices;--</script>", True),
)
CURRENCIES = ("GBP", "EUR", "JPY", "KWD")


def landed_rows(count: int = 600) -> list[dict[str, object]]:
    """Landed rows over four businesses, a currency each; the last of them have what people write as title or text."""
    rows = [_row(number) for number in range(count)]
    written = [{field: text} for _, text in WRITTEN.values() for field in ("name", "description")]
    flagged = [each | {"is_problem": number % 4 < 2} for number, each in enumerate(written)]
    return rows[: -len(written)] + [row | each for row, each in zip(rows[-len(written) :], flagged, strict=True)]


def _row(number: int) -> dict[str, object]:
    name, description, is_problem = TEXTS[number % len(TEXTS)]
    at = START + timedelta(hours=7 * number)
    return {
        "id": 2_147_480_000 + number,
        "coworker_invoice_id": 61_000_000 + number // 5,
        "coworker_invoice_business_id": 1_414_970 + number // 5 % 4,
        "coworker_invoice_business_currency_code": CURRENCIES[number // 5 % 4],
        "coworker_invoice_coworker_id": 8_201_300 + number // 25,
        "coworker_invoice_invoice_number": f"INV-{number // 5:06}",
        "coworker_invoice_coworker_full_name": "Zanthippe Quillfeather",
        "coworker_invoice_bill_to_name": "Brightwhistle Ltd",
        "coworker_invoice_total_amount": f"{100 + number % 7}.25",
        "coworker_invoice_paid": number % 3 == 0,
        "coworker_invoice_paid_on": at if number % 3 == 0 else None,
        "coworker_invoice_refunded": False,
        "coworker_invoice_draft": False,
        "updated_by": "ops-nightjar@example.com",
        "name": name,
        "description": description,
        "is_problem": is_problem,
        "created_on": at,
        "updated_on": at,
        "seen_at": at + timedelta(hours=1),
    }


def modelled_warehouse() -> duckdb.DuckDBPyConnection:
    """The rows, landed and modelled, in memory; with a gap of a day in the ledger."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    create_tables(connection)
    with readable(connection, given=pl.DataFrame(landed_rows(), infer_schema_length=None)):
        connection.execute("insert into land.coworker_invoice_histories by name select * from given")
    day = timedelta(days=1)
    for start, end in ((START, START + 100 * day), (START + 101 * day, START + 176 * day)):
        connection.execute(
            "insert into land.windows (entity, axis, from_at, to_at, row_count, request_count, run_id, closed_at)"
            " values ('CoworkerInvoiceHistory', 'UpdatedOn', ?, ?, 300, 2, 'run-1', ?)",
            [start, end, end],
        )
    built = build_all(connection)
    assert [check for model in built for check in model.checks if not check.passed] == []
    return connection
