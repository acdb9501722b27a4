"""The company that a mail is sent for, settled when the mail is made."""

import logging
from collections import defaultdict
from itertools import chain

from odoo import SUPERUSER_ID, api, fields, models

from ...bridge.company_text import CompanyText

_logger = logging.getLogger(__name__)

# What belongs to the company of an event, and the path to that: core gives it none
_EVENTS = {"calendar.event": "", "calendar.attendee": "event_id"}


# The value of ``made_in_bulk`` that this model notes itself: no client can send it
_MADE_IN_BULK = object()


class _SettledId(int):
    """The id of a company that this model noted itself: no client can send one."""


class MailMail(models.Model):
    _inherit = "mail.mail"

    sent_for_company_id = fields.Many2one(
        comodel_name="res.company",
        string="Sent for Company",
        readonly=True,
        help="The company that this mail is sent for, and nobody in particular: about "
        "a user account, a digest, a bounce.",
    )
    made_in_bulk = fields.Boolean(
        readonly=True,
        copy=False,
        help="Whether the mail was made for a mass mailing, even one deleted since.",
    )
    settled_company_id = fields.Many2one(
        comodel_name="res.company",
        string="Company When Made",
        readonly=True,
        copy=False,
        groups="base.group_system",
        help="The company that this mail is sent for, as it was found when the mail "
        "was made: what becomes of its document later does not change it.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        """Note the company of each mail for good, and whether it is of a mailing.

        That of mail which is sent for nobody is told by its text alone: no client may
        say so, by a value or a ``default_`` key.
        """
        for vals in vals_list:
            body = vals.get("body_html")
            of_company = isinstance(body, CompanyText)
            vals["sent_for_company_id"] = body.company_id if of_company else False
            vals["settled_company_id"] = False
            vals["made_in_bulk"] = bool(vals.get("mailing_id"))
        mails = super().create(vals_list)
        by_default = mails.sudo().filtered(
            lambda mail: mail._is_bulk() and not mail.made_in_bulk
        )
        if by_default:
            by_default.write({"made_in_bulk": _MADE_IN_BULK})
        mails.sudo()._settle_companies()
        return mails

    def write(self, vals):
        """Let nobody change afterwards what was noted."""
        settled = ("sent_for_company_id", "settled_company_id", "made_in_bulk")
        noted = {name: vals[name] for name in settled if name in vals}
        vals = {name: vals[name] for name in vals if name not in settled}
        for name, value in noted.items():
            if value is _MADE_IN_BULK:
                vals[name] = True
            elif isinstance(value, _SettledId):
                vals[name] = int(value) or False
        return super().write(vals)

    def _split_by_delayed_batch(self, mail_server):
        """Keep what was noted of mails in the parts that core makes of them."""
        kept = super()._split_by_delayed_batch(mail_server)
        for part in kept - self:
            part._settle_as(
                self.filtered(lambda m, p=part: m.mail_message_id == p.mail_message_id)
            )
        return kept

    def _settle_as(self, other):
        """Note for these mails what was noted for another one, which they are parts of.

        A copy would be settled anew: by what became of its document since.

        :param other: the mail, the first of several
        """
        other = other[:1]
        companies = ("sent_for_company_id", "settled_company_id")
        noted = {name: _SettledId(other[name].id) for name in companies}
        if other.made_in_bulk:
            noted["made_in_bulk"] = _MADE_IN_BULK
        self.write(noted)

    def _settle_companies(self):
        """Note the companies, where they matter: something is configured.

        Where that fails, sending it will, and tells why.
        """
        if not self or not self.env["ir.mail_server"]._is_configured():
            return
        self.env.flush_all()  # what fails here is no fault of these mails
        found = self._ask_apart(
            lambda mails: mails._get_companies(mails._get_senders()),
            type(self)._fail_to_settle,
            configured=True,
        )
        for mail_id, company in found.items():
            mail = self.browse(mail_id).with_prefetch(self._prefetch_ids)
            mail.write({"settled_company_id": _SettledId(company.id)})

    def _fail_to_settle(self, error):
        """Leave one mail without it, and the others with theirs.

        :return: no company, as :meth:`_get_companies` answers them
        """
        _logger.warning("The company of mail %s is not known", self.ids, exc_info=error)
        return {}

    def _get_companies(self, senders):
        """The company each mail is sent for: the record's, not the one left open.

        :param dict senders: ``res.users`` by ``mail.mail`` id
        :return: ``{mail.mail id: res.company}``
        """
        of_records = self._get_record_companies()
        lenders = {mail: mail._get_lenders() for mail in self.sudo()}
        users = self.sudo().env["res.users"]
        lending = chain(*lenders.values())
        users = users.union(*(user for user in lending if user._name == users._name))
        users.fetch(["company_id", "company_ids", "share"])
        users.company_ids.fetch(["active"])  # asked of each company of each user
        companies, none = {}, self.env["res.company"]
        for mail in lenders:
            message = mail.mail_message_id
            of_record = of_records.get((message.model, message.res_id), none)
            companies[mail.id] = mail._get_company(
                senders[mail.id], of_record, lenders[mail]
            )
        return companies

    def _get_company(self, sender, of_record, lenders):
        """The company the mail is sent for; nobody lends a mail another one's.

        :param res.users sender: maybe nobody
        :param res.company of_record: the company its record has, empty for none
        :param lenders: as of :meth:`_get_lenders`
        """
        self.ensure_one()
        if self.sent_for_company_id:  # told by Odoo's own text
            return self.sent_for_company_id
        company = self.settled_company_id or self._find_company(sender, of_record)
        return self._find_lent_company(company, lenders)

    def _get_lenders(self):
        """All who have to be allowed to send the mail for its company.

        Those who had a hand in its mass mailing were asked when it was settled: a mail
        that somebody else makes of that, a test for example, is never sent for them.

        :return: list as of :meth:`_get_persons`, which come last
        """
        persons = self._get_persons()
        if self._is_bulk() and not self.settled_company_id:
            return self._get_names_on(self.mailing_id) + persons
        return persons

    def _find_lent_company(self, company, lenders):
        """A company that all lenders may send for: this one, or one of theirs.

        Where there is none, that of the last one of them who can be told: who changed
        the mail or asked for it, whatever it is made of and in whose name. Whether the
        company was settled already or not, the answer is the same.

        :param res.company company: maybe none
        :param list lenders: as of :meth:`_get_lenders`; who was deleted may send for
            the companies they belonged to then, and who cannot be told limits nothing
        """
        users = [user for user in lenders if user]
        for candidate in (company, *(user.company_id for user in users)):
            if all(self._may_lend_company(user, candidate) for user in users):
                return candidate
        last = users[-1]
        return company if self._may_lend_company(last, company) else last.company_id

    def _may_lend_company(self, person, company):
        """Whether somebody who had a hand in the mail may send it for a company.

        Others than internal users have a company by chance, and what they post on a
        record is its company's: core lets them post where they were let in. By
        ``message_notify`` they could name any record.
        """
        if company in person.company_ids:
            return True
        return person.share and self.mail_message_id.message_type != "user_notification"

    def _find_company(self, sender, of_record):
        """The first company that applies; :meth:`_get_company` asks who may lend it."""
        message = self.mail_message_id
        if self._is_bulk():
            return self._find_company_of_mailing(of_record)
        if message.model in _EVENTS and of_record:
            return of_record
        if not of_record and self._is_company_of_job():
            user = sender or self._get_author_user()
            return user.company_id or message.record_company_id
        of_alias_domain = message.record_alias_domain_id.company_ids
        return (
            message.record_company_id
            or of_record
            or (len(of_alias_domain) == 1 and of_alias_domain)
            or sender.company_id
            or self.env.company.sudo()
        )

    def _find_company_of_mailing(self, of_record):
        """The recipient's company, else the responsible's."""
        company = of_record or self.mail_message_id.record_company_id
        users = filter(None, self._get_names_on(self.mailing_id))
        responsible = next(users, self.env["res.users"])
        return company or responsible.company_id or self.env.company.sudo()

    def _is_company_of_job(self):
        """Whether the company noted on the mail may be that of OdooBot's own.

        A scheduled action has OdooBot's company open, and core notes the open one on
        mail about a record that has none.
        """
        message = self.mail_message_id
        maker, noted = message.create_uid, message.record_company_id
        return maker.id == SUPERUSER_ID and noted and noted == maker.company_id

    # ------------------------------------------------------------------
    # Records
    # ------------------------------------------------------------------

    def _get_record_companies(self):
        """Companies of the records, unless core noted one on the mail to rely on.

        :return: ``{(model, id): res.company}``
        """
        ids_by_model = defaultdict(set)
        for mail in self.sudo():
            message = mail.mail_message_id
            if message.model and message.res_id and not mail._is_company_known():
                ids_by_model[message.model].add(message.res_id)
        companies = {}
        for model, res_ids in ids_by_model.items():
            if model in self.env and not self.env[model]._abstract:
                records = self.env[model].sudo().browse(res_ids).exists()
                for record, company in self._get_companies_of(records):
                    companies[model, record.id] = company
        return companies

    def _is_company_known(self):
        """Whether the company is noted already, and nobody has to ask the record."""
        message = self.mail_message_id
        if self.settled_company_id or self.sent_for_company_id:
            return True
        if message.model in _EVENTS or self._is_bulk():
            return False
        return bool(message.record_company_id) and not self._is_company_of_job()

    @api.model
    def _get_companies_of(self, records):
        """Each record with its company, or its event's where it has none."""
        companies = records._mail_get_companies()
        path = _EVENTS.get(records._name)
        for record in records:
            company = companies[record.id]
            if not company and path is not None:
                company = self._get_company_of_event(record.mapped(path))
            yield record, company

    @api.model
    def _get_company_of_event(self, event):
        """Its organizer's, if all who made or changed it are in that company.

        Whoever may edit an event may name anybody as its organizer. Where that user was
        deleted, it is the maker's.
        """
        users = [user for user in self._get_names_on(event) if user and not user.share]
        organizer = event.user_id or next(iter(users), event.user_id)
        company = organizer.company_id
        for user in users:
            if company not in user.company_ids:
                return user.company_id
        return company
