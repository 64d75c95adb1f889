"""How a text leaves this machine: posted to NEXUDUS_ALERT_WEBHOOK_URL, or mailed by NEXUDUS_SMTP_HOST.

No error repeats an address that is a secret. What may have arrived is told apart from what has not, so that nothing
is sent twice.
"""

import json
import re
import smtplib
import ssl
import urllib.request
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from urllib.error import HTTPError, URLError

from pydantic import SecretStr

from pipelines.errors import TryAgainLaterError, WrongUseError
from pipelines.foundation.loopback import is_this_machine
from pipelines.foundation.shown_text import shown
from pipelines.settings import Settings, listed

_SECONDS = 10
_MAIL_SECONDS = 30
_TLS_PORT, _SUBMISSION_PORT = 465, 587
_EMAIL = re.compile(r"\S+@\S+")
_KINDS = {".pdf": ("application", "pdf"), ".html": ("text", "html")}


class NotDeliveredError(TryAgainLaterError):
    """A text did not arrive; `may_have_arrived` where nobody can tell, so that it must not be sent again."""

    def __init__(self, sentence: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(sentence)
        self.may_have_arrived = may_have_arrived


def post_text(settings: Settings, text: str) -> None:
    """Post a text as Slack, and what is like it, understand it. Raises NotDeliveredError."""
    assert settings.alert_webhook_url is not None  # noqa: S101 - callers ask first
    request = urllib.request.Request(  # noqa: S310 - the settings see to http(s)
        settings.alert_webhook_url.get_secret_value(),
        data=json.dumps({"text": scrubbed(settings, text)}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - see above
            pass
    except Exception as error:  # noqa: BLE001 - whatever went wrong, it must not fail a sync
        said = f"The alert could not be posted ({type(error).__name__}): check NEXUDUS_ALERT_WEBHOOK_URL."
        raise NotDeliveredError(said, may_have_arrived=not isinstance(error, URLError | HTTPError)) from None


def send_mail(settings: Settings, subject: str, text: str, files: Iterable[Path] = ()) -> str | None:
    """Mail a text with files to NEXUDUS_MAIL_TO; a sentence where some of them were refused.

    Raises NotDeliveredError, and WrongUseError where settings are missing or the login is refused.
    """
    if not (settings.smtp_host and settings.mail_from and settings.mail_to):
        raise WrongUseError("Nothing was mailed: set NEXUDUS_SMTP_HOST, NEXUDUS_MAIL_FROM and NEXUDUS_MAIL_TO.")
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, settings.mail_from, ", ".join(sorted(_to(settings)))
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=settings.mail_from.rpartition("@")[2])
    message.set_content(text)
    for file in files:
        kind, subkind = _KINDS[file.suffix]
        message.add_attachment(file.read_bytes(), maintype=kind, subtype=subkind, filename=file.name)
    server = _connected(settings)
    try:
        refused = server.send_message(message)
    except smtplib.SMTPServerDisconnected as error:  # also of a time-out: the server may have it
        raise _undelivered(settings, error, may_have_arrived=True) from None
    except (smtplib.SMTPException, OSError) as error:
        raise _undelivered(settings, error) from None
    finally:
        server.close()
    return f"The mail server refused {len(refused)} of the addresses in NEXUDUS_MAIL_TO." if refused else None


def _to(settings: Settings) -> frozenset[str]:
    return listed(settings.mail_to)


def _connected(settings: Settings) -> smtplib.SMTP:
    """A server that is ready to take mail. Beyond this machine only over TLS: the report and the password travel."""
    host, _, port_text = settings.smtp_host.partition(":")
    port = int(port_text or _SUBMISSION_PORT)
    try:
        if port == _TLS_PORT:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_MAIL_SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=_MAIL_SECONDS)
            server.ehlo_or_helo_if_needed()
            if server.has_extn("starttls") or not is_this_machine(host):
                server.starttls(context=ssl.create_default_context())
        if settings.smtp_username and settings.smtp_password:
            server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
    except smtplib.SMTPAuthenticationError:
        raise WrongUseError(
            f"The mail server {settings.smtp_host} refused the login: fix NEXUDUS_SMTP_USERNAME and "
            "NEXUDUS_SMTP_PASSWORD."
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise _undelivered(settings, error) from None
    return server


def _undelivered(settings: Settings, error: Exception, *, may_have_arrived: bool = False) -> NotDeliveredError:
    # A server's answer may repeat addresses, so only the kind of the error is told.
    doubt = "It may have arrived" if may_have_arrived else "Nothing was mailed"
    return NotDeliveredError(
        f"{doubt} ({type(error).__name__} at the mail server {settings.smtp_host}): check NEXUDUS_SMTP_HOST, or try "
        "again later.",
        may_have_arrived=may_have_arrived,
    )


def scrubbed(settings: Settings, text: str) -> str:
    """The text as Slack shows it, nobody being called: without e-mail addresses and the settings' secrets."""
    secrets = [value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)]
    for secret in filter(None, (*secrets, settings.username)):
        text = text.replace(secret, "(withheld)")
    text = _EMAIL.sub("(address)", shown(text))
    # What is left of these would name people or channels, or be a link.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "(at)")
