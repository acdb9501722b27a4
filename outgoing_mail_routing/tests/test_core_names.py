import inspect
import re

from odoo.models import BaseModel
from odoo.tests import TransactionCase, tagged

from odoo.addons.mail.models import fetchmail

# What is overridden or relied on, with the parameters it had in 19.0
_SIGNATURES = {
    "ir.mail_server": {
        "_connect__": ["smtp_from", "mail_server_id", "allow_archived"],
        "_find_mail_server": ["email_from", "mail_servers"],
        "_find_mail_server_allowed_domain": [],
        "_filter_mail_servers_fallback": ["servers"],
        "_check_forced_mail_server": ["mail_server", "allow_archived", "smtp_from"],
        "_prepare_email_message__": ["message", "smtp_session"],
        "_alter_message__": ["message", "smtp_from", "smtp_to_list"],
        "_match_from_filter": ["email_from", "from_filter"],
        "_parse_from_filter": ["from_filter"],
        "_get_default_from_filter": [],
        "_get_default_from_address": [],
        "_get_default_bounce_address": [],
        "_active_usages_compute": [],
        "send_email": ["message", "smtp_session"],
        "test_smtp_connection": ["autodetect_max_email_size"],
        "_get_test_email_from": [],
    },
    "ir.model": {"_reflect_model_params": ["model"]},
    "mail.message": {
        "_search": ["domain", "bypass_access"],
        "_get_forbidden_access": ["operation"],
    },
    "mail.tracking.value": {
        "_create_tracking_values": [
            *("initial_value", "new_value", "col_name", "col_info", "record"),
        ],
    },
    "mail.mail": {
        "_split_by_mail_configuration": [],
        "_filter_mail_mail_servers": ["mail_servers"],
        "_send": ["smtp_session", "alias_domain_id", "mail_server"],
        "_postprocess_sent_message": [
            *("success_pids", "success_emails", "failure_reason", "failure_type"),
        ],
    },
    "fetchmail.server": {
        "_connect__": ["allow_archived"],
        "_get_connection_type": [],
        "_fetch_mail": ["batch_limit"],
    },
    "mail.template": {
        "send_mail_batch": [
            *("res_ids", "force_send", "raise_exception"),
            *("email_values", "email_layout_xmlid"),
        ],
    },
    "mail.scheduled.message": {
        "_notification_parameters_whitelist": [],
        "_post_message": ["raise_exception"],
    },
    "mail.render.mixin": {
        "_render_template": ["template_src", "model", "res_ids"],
        "_render_encapsulate": ["layout_xmlid", "html"],
    },
    "mail.compose.message": {
        "_action_send_mail": ["auto_commit"],
        "_action_schedule_message": [],
        "_prepare_mail_values_static": [],
    },
    "mail.thread": {
        "_routing_create_bounce_email": ["email_from", "body_html", "message"],
        "message_route": ["message", "message_dict"],
        "_message_route_process": ["message", "message_dict", "routes"],
        "_routing_check_route": [
            *("message", "message_dict", "route", "raise_exception"),
        ],
        "_track_prepare": ["fields_iter"],
        "_track_finalize": [],
        "_track_discard": [],
        "_track_get_fields": [],
        "_track_set_log_message": ["message"],
        "_creation_message": [],
        "_message_log": ["body", "tracking_value_ids"],
        "_notify_get_recipients": ["message", "msg_vals"],
        "_notify_get_reply_to": [],
        "_mail_get_operation_for_mail_message_operation": ["message_operation"],
    },
}


@tagged("post_install", "-at_install")
class TestCoreNames(TransactionCase):
    def test_core_still_has_what_the_addon_builds_on(self):
        for model, methods in _SIGNATURES.items():
            core_classes = [
                cls
                for cls in type(self.env[model]).__mro__
                if cls.__module__.startswith(("odoo.addons.base.", "odoo.addons.mail."))
            ]
            for name, parameters in methods.items():
                with self.subTest(model=model, method=name):
                    core = next(vars(c)[name] for c in core_classes if name in vars(c))
                    core = inspect.unwrap(getattr(core, "__func__", core))
                    self._check_parameters(core, parameters)

    def test_core_prepares_the_values_of_records_in_one_place(self):
        self._check_parameters(BaseModel._prepare_create_values, ["vals_list"])

    def test_invoices_are_sent_in_one_place(self):
        if "account.move.send" not in self.env:
            self.skipTest("needs Invoicing")
        send_mail = self.env.registry["account.move.send"]._send_mail
        self._check_parameters(send_mail.origin, ["move", "mail_template"])

    def _check_parameters(self, function, parameters):
        self.assertLessEqual(
            set(parameters), set(inspect.signature(function).parameters)
        )

    def test_core_asks_connections_for_nothing_else(self):
        """What stands between core and a connection answers all that core asks."""
        source = inspect.getsource(fetchmail.FetchmailServer._fetch_mail)
        asked = set(re.findall(r"\bserver_connection[.](\w+)", source))
        self.assertEqual(
            asked,
            {
                "check_unread_messages",
                "retrieve_unread_messages",
                "handled_message",
                "disconnect",
            },
        )
