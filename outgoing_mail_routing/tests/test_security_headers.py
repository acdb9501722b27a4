from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RoutingCase

# Every control character of ASCII and Latin-1, what Unicode and Python take for a line
# break, and the pairs that end a line of a message (RFC 5322, section 2.2)
CONTROLS = (
    *(chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))),
    *("\u2028", "\u2029", "\r\n", "\n\r", "\r\n ", "\n\t"),
)
# PostgreSQL refuses to store it
NUL = "\0"


def attacks():
    """What is written where a name or an address belongs, by control character."""
    lines = ("", "Bcc: spy@evil.example", "X-Evil: yes", "To: spy@evil.example")
    return {control: control.join(lines) for control in CONTROLS}


class InjectionCase(RoutingCase):
    def assertSound(self, mails):
        """Send mails; each arrives with its own headers only, or is kept as failed.

        :return: the mails that arrived
        """
        self.forget_received()
        with self.sending():
            mails.send()
        for received in self.received():
            self.assertEqual(received.rcpt_tos, (self.customer_a.email,))
            for header in ("From", "Reply-To", "Return-Path", "To"):
                values = received.message.get_all(header)
                self.assertEqual(len(values), 1, header)
                self.assertEqual(len(values[0].splitlines()), 1, header)
            self.assertFalse({"Bcc", "X-Evil"} & set(received.message.keys()))
            self.assertNotIn("evil", received.mail_from)
        failed = mails.exists().filtered(lambda mail: mail.state == "exception")
        self.assertEqual(len(self.received()) + len(failed), len(mails), "none lost")
        return self.received()

    def mail_to_customer(self, user, **values):
        return self.mail(user, email_to=self.customer_a.email, **values)


@tagged("post_install", "-at_install")
class TestUserText(InjectionCase):
    """What users write where names and addresses belong."""

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_text_of_a_user_never_makes_a_header(self):
        own = {"email_from": "x@a.example", "reply_to": "x@a.example"}
        name, address = '"Name%s" <x@a.example>', "x%s@a.example"
        for user, field, form in (
            (self.anna, "email_from", name),
            (self.anna, "email_from", address),
            (self.ben, "email_from", name),
            (self.ben, "reply_to", name),
            (self.ben, "reply_to", address),
        ):
            with self.subTest(user=user.name, field=field, form=form):
                mails = [
                    self.mail_to_customer(user, **{**own, field: form % attack})
                    for control, attack in attacks().items()
                    if control != NUL
                ]
                self.assertSound(self.env["mail.mail"].concat(*mails))

    def test_nul_is_refused_by_postgresql(self):
        for field in ("email_from", "reply_to", "email_to", "subject"):
            with self.subTest(field=field), self.assertRaises(ValueError):
                self.mail(self.ben, **{field: f"x@a.example{NUL}"})

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_name_of_a_user_never_makes_a_header(self):
        for user in (self.anna, self.ben):
            for control, attack in attacks().items():
                with self.subTest(user=user.login, control=control):
                    if control == NUL:
                        with self.assertRaises(ValueError):
                            user.partner_id.name = attack
                        continue
                    user.partner_id.name = f"{user.login}{attack}"
                    from_user = {"email_from": user.email_formatted}
                    mails = self.mail_to_customer(user, **from_user)
                    for received in self.assertSound(mails):
                        (address,) = received.message["From"].addresses
                        self.assertTrue(address.display_name.startswith(user.login))


@tagged("post_install", "-at_install")
class TestAdministratorText(InjectionCase):
    """What administrators type into the fields that headers are made of."""

    def _write(self, **values):
        """Whether the relay of company A takes the values."""
        try:
            with self.env.cr.savepoint():
                self.relay_a.write(values)
                self.env.flush_all()
        except (UserError, ValueError):
            self.relay_a.invalidate_recordset()
            return False
        return True

    def _forms(self, control, attack):
        yield f"office@a.example{attack}"
        yield f"office{attack}@a.example"
        yield f'"Office{attack}" <office@a.example>'
        yield f"{control}office@a.example{control}"
        yield f"office@a{control}.example"

    def test_address_with_a_control_is_refused(self):
        for field in ("sender_email", "reply_to_email"):
            self.assertTrue(self._write(**{field: "office@a.example"}))
            for control, attack in attacks().items():
                for value in self._forms(control, attack):
                    with self.subTest(field=field, value=value):
                        self.assertFalse(self._write(**{field: value}))

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_login_and_filter_with_a_control_never_make_an_address(self):
        for field in ("smtp_user", "from_filter"):
            for control, attack in attacks().items():
                values = {"smtp_user": "relay-a", "from_filter": "a.example"}
                for value in (*self._forms(control, attack), f"a.example{attack}"):
                    with self.subTest(field=field, value=value):
                        if self._write(**{**values, field: value}):
                            proposed = self.relay_a.sender_email or ""
                            self.assertTrue(proposed.isprintable())
                            self.assertNotIn("evil", proposed)

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_text_of_an_administrator_never_makes_a_header(self):
        self.relay_a.reply_to_email = "office@a.example"
        self.relay_a.reply_to_policy = "custom"
        foreign = {"email_from": "press@elsewhere.example"}
        for text in ("a.example", "office@a.example"):
            for control in CONTROLS:
                with self.subTest(text=text, control=control):
                    # with an @ in it, a domain would be none
                    attack = f"{control}X-Evil: yes"
                    self._write(name=f"Relay{attack}", from_filter=f"{text}{attack}")
                    mail = self.mail_to_customer(self.ben, **foreign)
                    self.assertEqual(len(self.assertSound(mail)), 1, "not even kept")

    @mute_logger("odoo.addons.mail.models.mail_mail")
    def test_name_of_a_company_never_makes_a_header(self):
        mails = self.env["mail.mail"]
        for control, attack in attacks().items():
            if control != NUL:
                self.company_a.name = f"A{attack}"
                mails |= self.queue(self.ben, self.customer_a)
        self.assertEqual(len(self.assertSound(mails)), len(CONTROLS) - 1)
