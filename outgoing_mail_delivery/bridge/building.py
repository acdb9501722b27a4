"""Building the messages of mails, as core does, without sending them."""

import logging
from dataclasses import dataclass, field

from odoo import tools

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ..delivery import Lane, Message
from .collecting import CollectingSession
from .facts import mail_facts, route_facts
from .words import clean

_logger = logging.getLogger(__name__)

#: Mails whose messages are built in one transaction, and bytes of their attachments.
MAILS_AT_ONCE, BYTES_AT_ONCE = 50, 4 << 20
#: The same at first: what a dead server gets is built in vain, while others wait.
MAILS_AT_FIRST = 16
#: Recipients of one mail at most.
MOST = 10_000

# What core answers for a mail that has none or no usable address
_MISSING, _INVALID = "mail_email_missing", "mail_email_invalid"


@dataclass(frozen=True)
class Batch:
    """Mails that leave by the same server, with the same From and alias domain.

    :param server: ``ir.mail_server``, maybe none, as superuser
    :param RoutedFrom routed: the From, with its decision
    """

    server: object
    alias_domain_id: int
    routed: str
    mail_ids: tuple

    @property
    def key(self):
        """The server's id, 0 for that of Odoo's configuration."""
        return self.server.id or 0


@dataclass(frozen=True)
class Unsendable:
    """Why a mail, or one part of it, can be offered to no server."""

    failure_type: str
    reason: str


@dataclass(frozen=True)
class Built:
    """The messages of one mail, and what could not be built.

    ``facts`` has the journal's columns of each message by its key, ``unsendable`` why a
    part has no message, ``failure`` why the mail has none at all.
    """

    messages: tuple = ()
    facts: dict = field(default_factory=dict)
    unsendable: dict = field(default_factory=dict)
    failure: Unsendable | None = None


@dataclass(frozen=True)
class Told:
    """What is known of the messages of a mail besides the journal.

    ``recipients`` are the addresses by part, ``unsendable`` says why a part has no
    message, and ``failure`` why the mail has none at all.
    """

    recipients: dict = field(default_factory=dict)
    unsendable: dict = field(default_factory=dict)
    failure: Unsendable | None = None

    @classmethod
    def of(cls, built):
        """What :class:`Built` says of it."""
        recipients = {message.key[1]: message.recipients for message in built.messages}
        unsendable = {key[1]: why for key, why in built.unsendable.items()}
        return cls(recipients, unsendable, built.failure)


class MessageBuilder:
    """Builds the messages of batches, by the methods that core's ``_send`` calls.

    :param between: called after each mail, as building many takes its time
    """

    def __init__(self, env, between=lambda: None):
        self.env = env
        self._between = between
        self._servers = env["ir.mail_server"]

    def groups(self, mails):
        """Mails in groups whose messages fit into memory together.

        :return: list of lists of ids, in the order of the mails
        """
        groups, size = [[]], 0
        for mail in mails.sudo():
            bytes_ = sum(mail.attachment_ids.mapped("file_size"))
            most = MAILS_AT_ONCE if len(groups) > 1 else MAILS_AT_FIRST
            many = len(groups[-1]) >= most or size + bytes_ > BYTES_AT_ONCE
            if groups[-1] and many:
                groups.append([])
                size = 0
            groups[-1].append(mail.id)
            size += bytes_
        return groups

    def build(self, batches, mails):
        """The messages of some mails, whatever their batches.

        One that raises harms itself alone.

        :param dict batches: the batch of each mail, by its id
        :return: ``{mail.mail id: Built}``
        """
        mails = mails.with_context(prefetch_fields=True)
        return mails._ask_apart(
            lambda some: self._build_all(batches, some),
            lambda mail, error: {mail.id: Built(failure=self._explain(error, mail))},
            configured=True,
        )

    def _build_all(self, batches, mails):
        with_link = mails.filtered(
            lambda mail: mail.body_html and "/mail/unfollow" in mail.body_html
        )
        followers = self.env["mail.followers"]
        doc_to_followers = followers._get_mail_doc_to_followers(with_link.ids)
        built = {}
        for mail in mails:
            built[mail.id] = self._build_one(batches[mail.id], mail, doc_to_followers)
            self._between()
        return built

    def _build_one(self, batch, mail, doc_to_followers):
        addresses = f"{mail.email_to or ''}{mail.email_cc or ''}".count("@")
        if len(mail.recipient_ids) + addresses > MOST:
            return Built(failure=self._refuse_crowd())
        emails_from = tools.mail.email_split_and_format_normalize(mail.email_from)
        email_from = emails_from[0] if emails_from else mail.email_from
        emails = mail._prepare_outgoing_list(
            mail_server=batch.server or mail.mail_server_id,
            doc_to_followers=doc_to_followers,
        )
        if not emails:
            reason = self._servers.NO_VALID_RECIPIENT
            return Built(failure=Unsendable(_MISSING, reason))
        messages, facts, unsendable = [], {}, {}
        for email in emails:
            partner = email.get("partner_id")
            key = (mail.id, partner.id if partner else 0)
            try:
                found = self._collect(batch, mail, email, email_from)
            except AssertionError as error:
                if str(error) != self._servers.NO_VALID_RECIPIENT:
                    raise
                failure_type = _INVALID if email["email_to"] else _MISSING
                unsendable[key] = Unsendable(failure_type, str(error))
                continue
            messages.append(_message(key, found, mail))
            facts[key] = {
                **mail_facts(mail),
                **route_facts(batch.routed),
                "envelope_sender": found.sender,
                "part": key[1],
                "partner_id": key[1] or None,
            }
        if not messages and len(unsendable) == len(emails):
            return Built(failure=next(iter(unsendable.values())))
        return Built(tuple(messages), facts, unsendable)

    def _refuse_crowd(self):
        reason = self.env._(
            "It has more than %(count)s recipients. Send it as several mails, or as a "
            "mailing.",
            count=MOST,
        )
        return Unsendable("unknown", reason)

    def _collect(self, batch, mail, email, email_from):
        """One message, on core's way: every addon's hooks see it.

        :raise AssertionError: as core's ``send_email``
        """
        servers = self._servers.with_context(
            send_validated_to=email.pop("email_to_normalized", [])
        )
        if batch.alias_domain_id:
            alias_domain = self.env["mail.alias.domain"].browse(batch.alias_domain_id)
            bounce = email["headers"].get("Return-Path") or alias_domain.bounce_email
            servers = servers.with_context(
                domain_notifications_email=alias_domain.default_from_email,
                domain_bounce_address=bounce,
            )
        session = CollectingSession(self._from_filter(batch.server), batch.routed)
        message = servers._build_email__(
            email_from=email_from,
            subtype="html",
            subtype_alternative="plain",
            **{
                name: email[name]
                for name in (
                    *("email_to", "subject", "body", "body_alternative", "email_cc"),
                    *("reply_to", "attachments", "message_id", "references"),
                    *("object_id", "headers"),
                )
            },
        )
        servers.send_email(
            message, mail_server_id=mail.mail_server_id.id, smtp_session=session
        )
        if len(session.collected) != 1:
            raise MailDeliveryException(
                self.env._(
                    "An addon kept this message from being sent. Look for one that "
                    "changes how mail is sent."
                )
            )
        return session.collected[0]

    def _from_filter(self, server):
        """The FROM filter that core puts on a session of the server."""
        return server.from_filter if server else server._get_default_from_filter()

    def refusal(self, error):
        """Why a server may not carry a mail, as core fails it then."""
        return Told(failure=Unsendable("mail_smtp", tools.exception_to_unicode(error)))

    def _explain(self, error, mail):
        """Why a mail cannot be built, with core's type of the failure."""
        _logger.warning("Mail %s cannot be built", mail.id, exc_info=error)
        text = str(error.args[0]) if error.args else ""
        reason = tools.exception_to_unicode(error)
        failure_type = "unknown"
        if isinstance(error, AssertionError):
            if text == self._servers.NO_VALID_FROM:
                failure_type = "mail_from_invalid"
                reason = str(error.args[-1])
            elif text in (
                self._servers.NO_FOUND_FROM,
                self._servers.NO_FOUND_SMTP_FROM,
            ):
                failure_type = "mail_from_missing"
        return Unsendable(failure_type, clean(reason))


def _message(key, found, mail):
    return Message(
        key,
        found.sender,
        found.recipients,
        found.text,
        Lane(mail.delivery_lane or Lane.NORMAL.value),
        found.utf8,
    )
