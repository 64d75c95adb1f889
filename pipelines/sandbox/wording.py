"""What history entries say, as operators of live tenants have seen it, and the names of people and places."""

from typing import NamedTuple

PAYMENT = "Payment Result"
RECEIVED = "Payment received"
SENT = "Invoice sent"
E_INVOICE = "E-invoice"
REFUND = "Refund"


class Outcome(NamedTuple):
    """A failed attempt: its description, whether Nexudus flags it, and how often it is the reason."""

    description: str
    is_problem: bool
    weight: int


NO_MANDATE = Outcome(
    "AWAITING: Exception of type 'Nexudus.Coworking.CoworkerPaymentProcessing.Exceptions.NotPreAuthFoundException'"
    " was thrown.",
    False,
    0,
)
OVER_LIMIT = Outcome("AWAITING: Invalid request. Status: 422 {amount > maximum permitted}", False, 5)
DEBIT_FAILURES = [
    Outcome("FAILED: Insufficient funds.", True, 45),
    Outcome("FAILED: Existing regular payment subscription was not valid and has been revoked.", True, 14),
    Outcome("FAILED: Bank account closed.", True, 4),
    Outcome("FAILED: Refer to payer.", True, 9),
    OVER_LIMIT,
    Outcome(
        "AWAITING: Your account currently does not support payment amounts greater than 5,000.00 for the type"
        " bacs_debit. Please contact support.",
        False,
        4,
    ),
    NO_MANDATE._replace(weight=14),
]
CARD_FAILURES = [
    Outcome("FAILED: Your card was declined.", True, 34),
    Outcome("FAILED: Your card has insufficient funds.", True, 26),
    Outcome("FAILED: Your card has expired.", True, 14),
    Outcome("FAILED: This payment requires additional user action before it can be completed successfully.", True, 9),
    Outcome("FAILED: An error occurred while processing your card. Try again in a little bit.", True, 5),
    OVER_LIMIT,
    NO_MANDATE._replace(weight=16),
]
LOCAL_FAILURES = {
    "ES": [
        Outcome("FAILED: Fondos insuficientes.", True, 30),
        Outcome("FAILED: La tarjeta ha sido rechazada por el banco emisor.", True, 12),
        Outcome("FAILED: Mandato SEPA cancelado por el deudor.", True, 8),
    ],
    "FR": [
        Outcome("FAILED: Provision insuffisante.", True, 30),
        Outcome("FAILED: Carte refusée par la banque.", True, 12),
        Outcome("FAILED: Le mandat de prélèvement a été révoqué.", True, 8),
    ],
    "DE": [
        Outcome("FAILED: Rücklastschrift: Konto nicht gedeckt.", True, 30),
        Outcome("FAILED: Karte abgelehnt.", True, 12),
        Outcome("FAILED: SEPA-Lastschriftmandat widerrufen.", True, 8),
    ],
}
AWAITING = [
    "AWAITING: Waiting for the money to clear from the customer's account.",
    "AWAITING: GoCardless payment submitted to the banks.",
    "AWAITING: GoCardless requested funds from customer.",
    "AWAITING: The payment is currently processing.",
]
MANDATE_REQUESTED = "AWAITING: GoCardless requested regular payment subscription."
E_INVOICE_SENT = {
    "ES": "Factura enviada a Verifactu (AEAT).",
    "FR": "Facture déposée sur Chorus Pro.",
    "DE": "E-Rechnung (XRechnung) zugestellt.",
}
E_INVOICE_PROBLEMS = {
    "ES": ["Verifactu: NIF del destinatario no identificado.", "Verifactu: servicio de la AEAT no disponible."],
    "FR": ["Chorus Pro: SIRET du destinataire inconnu.", "Chorus Pro: délai d'attente dépassé."],
    "DE": ["XRechnung: Leitweg-ID fehlt.", "XRechnung: Schematron validation failed (BR-DE-15)."],
}

# name, currency, time zone, country, share of the members
PLACES = [
    ("Shoreditch Exchange", "GBP", "Europe/London", "GB", 14),
    ("Manchester Northern Quarter", "GBP", "Europe/London", "GB", 12),
    ("Bristol Harbourside", "GBP", "Europe/London", "GB", 8),
    ("Leith Walk Studios", "GBP", "Europe/London", "GB", 6),
    ("Madrid Malasaña", "EUR", "Europe/Madrid", "ES", 10),
    ("Paris République", "EUR", "Europe/Paris", "FR", 10),
    ("Berlin Kreuzberg", "EUR", "Europe/Berlin", "DE", 10),
    ("Dublin Silicon Docks", "EUR", "Europe/Dublin", "IE", 7),
    ("Brooklyn Navy Yard", "USD", "America/New_York", "US", 8),
    ("Austin East Sixth", "USD", "America/Chicago", "US", 6),
    ("Tokyo Nakameguro", "JPY", "Asia/Tokyo", "JP", 5),
    ("Kuwait City Sharq", "KWD", "Asia/Kuwait", "KW", 4),
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
