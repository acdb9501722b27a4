"""The route that the simulator shows, and what may go wrong on it."""

import logging

from odoo import api, fields, models

from ...bridge.addresses import email_of
from ...bridge.answers import Answers
from ...bridge.directory_source import DirectorySource
from ...bridge.explanation import check_administrator
from ...bridge.telling import NOT_OF_TEXTS, text_of
from ...routing import domain_of, may_send_as

_logger = logging.getLogger(__name__)

_HEADERS = ("email_from", "reply_to", "return_path", "envelope_sender")

# The fields that show the answer
_OUTPUTS = (
    "route_server_id",
    "route_rule",
    "route_sender_id",
    "route_company_id",
    "refused",
    *(f"{moment}_{name}" for moment in ("before", "after") for name in _HEADERS),
    "steps",
    "warning",
    "error_message",
)


class MailRoutingSimulation(models.TransientModel):
    _inherit = "mail.routing.simulation"

    route_server_id = fields.Many2one(
        comodel_name="ir.mail_server",
        string="Leaves Through",
        compute="_compute_route",
        help="The outgoing mail server that would carry the mail.",
    )
    route_rule = fields.Selection(
        selection=[
            ("forced", "Set on the mail"),
            ("user", "User"),
            ("company", "Company"),
            ("from_filter", "FROM filter"),
            ("default_from", "Default From"),
            ("priority", "Priority"),
            ("system", "Odoo's configuration"),
        ],
        string="By Rule",
        compute="_compute_route",
        help="The rule that chose the server.",
    )
    route_sender_id = fields.Many2one(
        comodel_name="res.users",
        string="Sent For",
        compute="_compute_route",
        help="The user whose own servers count; empty where the mail is nobody's.",
    )
    route_company_id = fields.Many2one(
        comodel_name="res.company",
        string="Company of the Mail",
        compute="_compute_route",
        help="The company whose servers count.",
    )
    refused = fields.Boolean(
        compute="_compute_route",
        help="The server that is set on the mail may not carry it: it is not sent.",
    )
    before_email_from = fields.Char(
        string="From Before",
        compute="_compute_route",
        help="The From that Odoo gives the mail.",
    )
    before_reply_to = fields.Char(
        string="Reply-To Before",
        compute="_compute_route",
        help="The Reply-To that Odoo gives the mail.",
    )
    before_return_path = fields.Char(
        string="Return-Path Before",
        compute="_compute_route",
        help="The Return-Path that Odoo gives the mail.",
    )
    before_envelope_sender = fields.Char(
        string="Envelope Sender Before",
        compute="_compute_route",
        help="The envelope sender that Odoo asks for.",
    )
    after_email_from = fields.Char(
        string="From After",
        compute="_compute_route",
        help="The From that recipients read.",
    )
    after_reply_to = fields.Char(
        string="Reply-To After",
        compute="_compute_route",
        help="Where answers go.",
    )
    after_return_path = fields.Char(
        string="Return-Path After",
        compute="_compute_route",
        help="The Return-Path that the mail leaves with.",
    )
    after_envelope_sender = fields.Char(
        string="Envelope Sender After",
        compute="_compute_route",
        help="Where bounces go: the address that the mail server is told.",
    )
    steps = fields.Json(
        compute="_compute_route",
        help="Every rule and server that was looked at, and why it was taken or not.",
    )
    warning = fields.Text(
        compute="_compute_route",
        help="What may go wrong with mail on this route.",
    )
    error_message = fields.Text(
        compute="_compute_route",
        help="Why there is no route to show.",
    )

    @api.depends(
        "mail_id",
        "sender_id",
        "company_id",
        "template_id",
        "resource_ref",
        "posted",
        "bulk",
        "email_from",
        "reply_to",
        "mail_server_id",
    )
    @api.depends_context("uid", "lang")
    def _compute_route(self):
        check_administrator(self.env)
        for simulation in self:
            values = dict.fromkeys(_OUTPUTS, False)
            try:
                simulation._try_to_render_template()
                values.update(simulation._get_route_values(simulation._get_route()))
            except NOT_OF_TEXTS:
                raise
            except Exception as error:
                _logger.info("A mail cannot be simulated", exc_info=error)
                values["error_message"] = simulation._get_error_message(error)
            simulation.update(values)

    def _get_error_message(self, error):
        """Why there is no route to show.

        Core asserts an address that only its own code names, where From has none.
        """
        if isinstance(error, AssertionError) and not email_of(self.email_from):
            return self._get_from_refusal(self.email_from or "")
        return text_of(error)

    def _get_route(self):
        """The route of the mail, decided by what sends it.

        :rtype: MailRoute
        """
        mail = self._get_mail()
        return mail._get_mail_routes()[mail._ids[0]]

    def _get_route_values(self, route):
        """The route as values of the fields that show it."""
        headers = {
            f"{moment}_{name}": value
            for moment, of_moment in (("before", route.before), ("after", route))
            for name in _HEADERS
            if (value := getattr(of_moment, name))
        }
        return {
            **headers,
            "route_server_id": route.mail_server.id,
            "route_rule": route.rule,
            "route_sender_id": route.sender.id,
            "route_company_id": route.company.id,
            "refused": route.refused,
            "steps": self._get_step_rows(route),
            "warning": "\n".join(self._get_warnings(route)),
        }

    def _get_step_rows(self, route):
        """The steps as the table of the form shows them, each a plain dictionary."""
        labels = dict(self._fields["route_rule"]._description_selection(self.env))
        return [
            {
                "rule": labels[step.rule],
                "server_id": step.mail_server.id,
                "server": step.mail_server.sudo().name or "",
                "taken": step.taken,
                "reason": step.reason,
            }
            for step in route.steps
        ]

    # ------------------------------------------------------------------
    # Warnings
    # ------------------------------------------------------------------

    def _get_warnings(self, route):
        """What may go wrong with mail on a route, a sentence each.

        :param MailRoute route: the answer
        """
        return [
            *self._get_identity_warnings(route),
            *self._get_header_warnings(route),
            *self._get_server_warnings(route.mail_server),
        ]

    def _get_header_warnings(self, route):
        """Where the headers show another sender, or let answers get lost."""
        if not email_of(route.before.email_from):
            yield self._get_from_refusal(route.before.email_from)
        if route.rewritten:
            yield self.env._(
                "From is rewritten from %(before)s to %(after)s.",
                before=route.before.email_from,
                after=route.email_from,
            )
        from_domain = domain_of(email_of(route.email_from))
        envelope_domain = domain_of(email_of(route.envelope_sender))
        if from_domain and from_domain != envelope_domain:
            yield self.env._(
                "From is of %(from_domain)s, but the envelope sender of "
                "%(envelope_domain)s: receivers that compare them (DMARC) need a "
                "signature of %(from_domain)s.",
                from_domain=from_domain,
                envelope_domain=envelope_domain,
            )
        if not self._collects_replies(route):
            yield self.env._(
                "Answers go to %(reply_to)s, which Odoo does not collect: they do not "
                "reach the record.",
                reply_to=route.reply_to,
            )

    def _get_identity_warnings(self, route):
        """Where a server that was set by hand may not send as From."""
        profile = DirectorySource(self.env).get().get(route.mail_server.id)
        email = email_of(route.email_from)
        if route.rule == "forced" and profile and not may_send_as(profile, email):
            yield self.env._(
                "“%(server)s” is set by hand and may not send as %(email)s: the mail "
                "may be refused, or taken for spam.",
                server=profile.name,
                email=email,
            )

    @api.model
    def _get_from_refusal(self, email_from):
        """What is wrong with a From without any address."""
        return self.env._(
            "“%(text)s” in From is no e-mail address. It has to be one, such as "
            "office@example.com.",
            text=email_from,
        )

    def _collects_replies(self, route):
        """Whether Odoo itself receives what is answered."""
        profile = DirectorySource(self.env).get().get(route.mail_server.id)
        reply_to = email_of(route.reply_to)
        if profile and profile.collects_replies and reply_to == profile.sender_email:
            return True
        return bool(Answers(self.env, [reply_to]).brought_back)

    def _get_server_warnings(self, server):
        """What the server itself lacks."""
        server = server.sudo()
        if server.smtp_encryption == "none" and server.smtp_user:
            yield self.env._(
                "“%(server)s” logs in without encryption: its password can be read on "
                "the way. Choose a connection encryption on the server.",
                server=server.name,
            )
        if server and not server.tested_date:
            yield self.env._(
                "“%(server)s” was never tested as it is configured now. Test its "
                "connection, or send a test mail.",
                server=server.name,
            )
