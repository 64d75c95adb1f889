"""What history entries say, as providers write and operators of live tenants have seen it; names of people and places.

The texts are in `wording.csv`: what an entry says, the provider or the language whose words they are, title and text.
"""

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipelines.sandbox.entities import Business

SENT = "Invoice sent"
REFUND = "Refund"

# How often each failure is the reason of one; and what comes on top where the local bank's words are not English.
DEBIT_FAILURES = {
    "no_funds": 45,
    "mandate_revoked": 14,
    "account_closed": 4,
    "refer_to_payer": 9,
    "over_limit": 5,
    "over_debit_limit": 4,
    "no_mandate": 14,
}
CARD_FAILURES = {
    "card_declined": 34,
    "card_no_funds": 26,
    "card_expired": 14,
    "authentication_required": 9,
    "provider_error": 5,
    "over_limit": 5,
    "no_mandate": 16,
}
EURO_FAILURES = {"no_funds": 30, "card_declined": 12, "mandate_revoked": 8}


class Said(NamedTuple):
    """Title and text of an entry; `{amount}` in it stands for a sum of money."""

    name: str
    text: str

    @property
    def is_problem(self) -> bool:
        """Whether Nexudus flags it, which it does not when the text begins with AWAITING."""
        return self.text.startswith(("FAILED", "ERROR")) or self.name == "Payment failed"


@cache
def texts() -> dict[tuple[str, str, str], list[Said]]:
    """What is said, by which provider and in which language (either may be empty, for any) → the texts for it."""
    found: dict[tuple[str, str, str], list[Said]] = defaultdict(list)
    with Path(__file__).with_name("wording.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            found[line["says"], line["provider"], line["language"]].append(Said(line["name"], line["text"]))
    return dict(found)


def said(says: str, business: Business) -> list[Said]:
    """How a business's entries say it: in its language, else as its provider does, else in Nexudus' own words."""
    by_closeness = (("", business.language), (business.provider, ""), ("", ""))
    return next((texts()[says, *words] for words in by_closeness if (says, *words) in texts()), [])


# name, currency, time zone, country, provider, language, share of the members
PLACES = [
    ("Shoreditch Exchange", "GBP", "Europe/London", "GB", "gocardless", "en", 14),
    ("Manchester Northern Quarter", "GBP", "Europe/London", "GB", "gocardless", "en", 12),
    ("Bristol Harbourside", "GBP", "Europe/London", "GB", "stripe", "en", 8),
    ("Leith Walk Studios", "GBP", "Europe/London", "GB", "manual", "en", 6),
    ("Madrid Malasaña", "EUR", "Europe/Madrid", "ES", "gocardless", "es", 10),
    ("Paris République", "EUR", "Europe/Paris", "FR", "stripe", "fr", 10),
    ("Berlin Kreuzberg", "EUR", "Europe/Berlin", "DE", "adyen", "de", 10),
    ("Dublin Silicon Docks", "EUR", "Europe/Dublin", "IE", "adyen", "en", 7),
    ("Brooklyn Navy Yard", "USD", "America/New_York", "US", "stripe", "en", 8),
    ("Austin East Sixth", "USD", "America/Chicago", "US", "paypal", "en", 6),
    ("Tokyo Nakameguro", "JPY", "Asia/Tokyo", "JP", "stripe", "ja", 5),
    ("Kuwait City Sharq", "KWD", "Asia/Kuwait", "KW", "paypal", "ar", 4),
]
WORSENING_PLACE = "Manchester Northern Quarter"

# Monthly plans in each currency's smallest unit.
PLANS = {
    "GBP": [9500, 14900, 24900, 39500, 78000, 145000],
    "EUR": [9900, 15900, 26900, 41000, 82000, 159000],
    "USD": [12900, 19900, 32500, 49900, 99000, 185000],
    "JPY": [12000, 22000, 38000, 66000, 132000],
    "KWD": [35000, 52500, 89750, 140250, 310500],
}
FIRST_NAMES = [
    "Amelia",
    "Noor",
    "Oliver",
    "Priya",
    "Lucía",
    "Hugo",
    "Chloé",
    "Jürgen",
    "Anke",
    "Siobhán",
    "Declan",
    "Ngozi",
    "Tunde",
    "Yuki",
    "Haruto",
    "Fatima",
    "Yousef",
    "Grace",
    "Mateo",
    "Élodie",
    "Björn",
    "Aisha",
    "Kwame",
    "Ingrid",
    "Rafael",
    "Zoë",
    "Tomasz",
    "Mei",
    "Owen",
    "Carmen",
]
LAST_NAMES = [
    "Smith",
    "O'Brien",
    "García",
    "Müller",
    "Dubois",
    "Tanaka",
    "Al-Sabah",
    "Patel",
    "Okafor",
    "Jensen",
    "Núñez",
    "Lefèvre",
    "Schröder",
    "Fitzgerald",
    "Kowalski",
    "Sato",
    "Johnson",
    "Nguyen",
    "Haddad",
    "Fernández",
    "MacLeod",
    "Weiß",
    "Laurent",
    "Suzuki",
    "Hughes",
    "Adeyemi",
    "Rossi",
    "Moreau",
]
COMPANY_WORDS = ["Studio", "Labs", "Partners", "&", "Co", "Design", "Capital", "Works", "Media", "Systems", "Ventures"]
COMPANY_FORMS = {
    "GB": "Ltd",
    "IE": "Ltd",
    "ES": "S.L.",
    "FR": "SARL",
    "DE": "GmbH",
    "US": "LLC",
    "JP": "K.K.",
    "KW": "WLL",
}
