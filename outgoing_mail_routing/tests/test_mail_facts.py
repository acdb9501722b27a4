from odoo.tests import tagged

from ..bridge.directory_source import DirectorySource
from .common import RoutingCase


@tagged("post_install", "-at_install")
class TestSenderAndCompany(RoutingCase):
    """For whom a mail is sent, before any server is looked at."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.env.ref("base.user_root")

    def _facts(self, mail):
        directory = DirectorySource(self.env).get()
        mails = mail.with_user(self.root)
        return mails._get_mail_facts(directory, explain=True)[mail.id]

    def _sender(self, mail):
        sender = self._facts(mail).sender
        return self.env["res.users"].browse(sender.id if sender else ())

    def _company(self, mail):
        return self.env["res.company"].browse(self._facts(mail).company.id)

    def test_sender_is_who_made_the_mail_not_who_is_named_on_it(self):
        mail = self.mail(
            self.ben, author_id=self.anna.partner_id.id, email_from=self.anna.email
        )
        self.assertEqual(self._sender(mail), self.ben)
        self.assertEqual([c.id for c in self._facts(mail).colleagues], self.anna.ids)

    def test_sender_of_what_odoo_made_is_the_user_behind_the_author(self):
        mail = self.mail(self.root, author_id=self.anna.partner_id.id)
        self.assertEqual(self._sender(mail), self.anna)

    def test_sender_of_users_sharing_a_partner_is_the_first(self):
        twin = self._create_user("twin", self.company_a)
        twin.partner_id = self.anna.partner_id
        mail = self.mail(self.root, author_id=self.anna.partner_id.id)
        self.assertEqual(self._sender(mail), min(self.anna, twin, key=lambda u: u.id))

    def test_sender_without_author_is_the_one_user_with_that_address(self):
        values = {"author_id": False, "email_from": '"A" <ANNA@a.example>'}
        self.assertEqual(self._sender(self.mail(self.root, **values)), self.anna)
        self._create_user("twin", self.company_a, email="anna@a.example")
        self.assertFalse(self._sender(self.mail(self.root, **values)))

    def test_sender_is_nobody_for_portal_odoobot_and_former_users(self):
        leaver = self._create_user("leaver", self.company_a)
        mail_of_leaver = self.mail(leaver)
        leaver.active = False
        mail_of_nobody = self.mail(self.anna)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mail_message SET create_uid = NULL WHERE id = %s",
            mail_of_nobody.mail_message_id.ids,
        )
        mail_of_nobody.mail_message_id.invalidate_recordset()
        for name, mail in (
            ("portal", self.mail(self.portal_user, author_id=self.anna.partner_id.id)),
            ("OdooBot", self.mail(self.root, author_id=self.root.partner_id.id)),
            ("archived", mail_of_leaver),
            ("deleted", mail_of_nobody),
        ):
            with self.subTest(name):
                self.assertFalse(self._sender(mail))

    def test_sender_is_nobody_where_mail_and_message_are_of_two_users(self):
        message = self.mail(self.anna).mail_message_id
        of_message = {"mail_message_id": message.id, "subject": message.subject}
        by_odoo = self.mail(self.root, **of_message)
        self.assertEqual(self._sender(by_odoo), self.anna)
        self.assertFalse(self._sender(self.mail(self.ben, **of_message)))
        self.assertEqual(self._sender(by_odoo), self.anna, "nobody changed hers")

    def test_sender_is_nobody_once_somebody_else_changed_the_message(self):
        message = self.mail(self.anna).mail_message_id
        mail = self.mail(self.root, mail_message_id=message.id)
        for user, expected in ((self.anna, self.anna), (self.ben, None)):
            with self.subTest(user=user.name):
                message.with_user(user).sudo().body = f"Changed by {user.name}"
                self.env.flush_all()
                self.assertEqual(self._sender(mail) or None, expected)

    def test_sender_of_bulk_mail_is_nobody(self):
        if "mailing.mailing" not in self.env:
            self.skipTest("needs the module mass_mailing")
        mailing = self.env["mailing.mailing"].create(
            {
                "subject": "News",
                "mailing_model_id": self.env.ref("base.model_res_partner").id,
            }
        )
        mail = self.mail(
            self.anna,
            mailing_id=mailing.id,
            email_from=self.anna.email_formatted,
            model="res.partner",
            res_id=self.customer_a.id,
        )
        self.assertFalse(self._sender(mail))
        self.assertRule(mail, "company")
        self.assertEqual(self.deliver(mail).login, "relay-a")

    def test_company_is_the_one_noted_on_the_message(self):
        mail = self.mail(
            self.clara,
            record_company_id=self.company_b.id,
            model="res.partner",
            res_id=self.customer_a.id,
        )
        self.assertEqual(self._company(mail), self.company_b)

    def test_company_is_the_one_of_the_record(self):
        mail = self.mail(self.clara, model="res.partner", res_id=self.customer_b.id)
        self.assertEqual(self._company(mail), self.company_b)

    def test_company_is_the_only_one_of_the_alias_domain(self):
        domain = {"record_alias_domain_id": self.company_b.alias_domain_id.id}
        mail = self.mail(self.clara, **domain)
        self.assertEqual(self._company(mail), self.company_b)
        self.company_a.alias_domain_id = self.company_b.alias_domain_id
        self.assertEqual(self._company(mail), self.company_b, "as it was made")
        mail = self.mail(self.clara, **domain)
        self.assertEqual(self._company(mail), self.company_a, "the sender's")

    def test_company_is_the_senders_not_the_open_one(self):
        mail = self.mail(self.clara.with_company(self.company_b))
        self.assertEqual(self._company(mail), self.company_a)

    def test_company_of_nobody_is_the_current_one(self):
        mail = self.mail(self.root, author_id=False, email_from="x@y.example")
        self.assertEqual(self._company(mail), self.root.company_id)

    def test_company_of_a_websites_form_is_the_websites_from_the_queue_too(self):
        """Its controller acts as OdooBot, with the company of the website open."""
        mails = self.env["mail.mail"].with_user(self.root)
        mail = mails.with_company(self.company_b).create(
            {"email_from": "form@website.example", "email_to": "b@b.example"}
        )
        self.assertNotEqual(self.root.company_id, self.company_b)
        self.assertEqual(self._company(mail), self.company_b)
        self.assertEqual(self.deliver(mail.with_env(self.env)).login, "relay-b")

    def test_company_survives_records_that_are_gone_or_never_were(self):
        mails = self.env["mail.mail"]
        for model in ("res.partner", "model.of.removed.addon", "mail.thread"):
            mail = self.mail(self.anna)
            mail.mail_message_id.write({"model": model, "res_id": 2**31 - 1})
            mails += mail
        for mail in mails:
            with self.subTest(model=mail.model):
                self.assertEqual(self._company(mail), self.company_a)

    def test_template_mail_without_noted_company_takes_the_records(self):
        mail = self.template_mail(self.clara, self.customer_b)
        self.assertEqual(self._company(mail), self.company_b)
        self.assertEqual(self.deliver(mail).login, "relay-b")

    def _count_statements(self, mails):
        """How many statements it takes to split a queue that nothing is known of."""
        mails = mails.with_user(self.root)
        list(mails._split_by_mail_configuration())  # what the registry keeps is known
        return self.counted(lambda: list(mails._split_by_mail_configuration()))[0]

    def _mails(self, users, count, **values):
        """Mails about one record, made by some users in turn."""
        return self.env["mail.mail"].concat(
            *(
                self.mail(
                    users[number % len(users)],
                    **{
                        "email_from": f"x{number}@a.example",
                        "model": "res.partner",
                        "res_id": self.customer_a.id,
                        **values,
                    },
                )
                for number in range(count)
            )
        )

    def test_facts_need_no_statement_more_for_more_companies(self):
        def statements(name, number):
            mails = self.env["mail.mail"]
            for place in range(number):
                login = f"{name}{place}"
                company = self._create_company(login, f"{login}.example")
                user = self._create_user(login, company)
                mails += self._mails(user, 1, record_company_id=company.id)
            return self._count_statements(mails)

        self.assertEqual(statements("many", 20), statements("few", 4))

    def test_facts_need_no_statement_more_for_more_mails(self):
        self.assertTrue(DirectorySource(self.env).get().configured)
        shared = self.env["res.partner"].create({"name": "Of no company"})
        of_job = {
            "author_id": self.anna.partner_id.id,
            "record_company_id": self.root.company_id.id,
            "res_id": shared.id,
        }
        many_users = self.env["res.users"].concat(
            *(self._create_user(f"user{n}", self.company_a) for n in range(60))
        )
        for case, users, values in (
            ("of users", self.anna + self.ben + self.clara, {}),
            ("of a user each", many_users, {}),
            ("of scheduled actions", self.root, of_job),
            ("about accounts", self.root, {"model": "res.users", "res_id": 2}),
        ):
            with self.subTest(case):
                few = self._count_statements(self._mails(users, 6, **values))
                many = self._count_statements(self._mails(users, 60, **values))
                self.assertEqual(many, few)

    def test_company_of_the_record_bars_an_own_server_of_another(self):
        self.anna.company_ids |= self.company_b
        mail = self.queue(self.anna, self.customer_b)
        self.assertRule(mail, "user")
        self.mailbox.company_ids = self.company_a
        self.assertRule(mail, "company")
        self.assertEqual(self.deliver(mail).login, "relay-b")
