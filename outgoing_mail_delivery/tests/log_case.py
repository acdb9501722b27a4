from odoo import fields
from odoo.fields import Command
from odoo.tests import new_test_user

from odoo.addons.outgoing_mail_routing.tests.common import RoutingCase


class LogCase(RoutingCase):
    """Routing's companies, users and SMTP servers, with rows of the log by hand."""

    @classmethod
    def _create_attempt(cls, **values):
        return (
            cls.env["mail.delivery.attempt"]
            .sudo()
            .create(
                {
                    "recipient": "customer@customer.example",
                    "outcome": "sent",
                    "started_at": fields.Datetime.now(),
                    "settled": True,
                    **values,
                }
            )
        )

    @classmethod
    def _create_health(cls, server=None, **values):
        """The health of a server, of Odoo's configuration without one."""
        return (
            cls.env["mail.delivery.health"]
            .sudo()
            .create(
                {
                    "mail_server_id": server.id if server else False,
                    "state": "suspended",
                    "words": "421 No mail today",
                    **values,
                }
            )
        )

    @classmethod
    def _create_claim(cls, mail):
        """The claim of a run that is alive, as far as this transaction can tell."""
        run = cls.env["mail.delivery.run"].sudo().create({"until": "2100-01-01"})
        values = {"mail_mail_id_int": mail.id, "run_id": run.id}
        return cls.env["mail.delivery.claim"].sudo().create(values)

    @classmethod
    def _create_postmaster(cls, login, *companies):
        return new_test_user(
            cls.env,
            login,
            groups="base.group_user,outgoing_mail_delivery.group_postmaster",
            name=login.capitalize(),
            email=f"{login}@a.example",
            company_id=companies[0].id,
            company_ids=[Command.set([company.id for company in companies])],
        )
