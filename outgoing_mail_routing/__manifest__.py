{
    "name": "Outgoing Mail Routing",
    "summary": "The right mail server, From, Reply-To and Return-Path for every "
    "company and user",
    "version": "19.0.1.1.0",
    "category": "Productivity/Discuss",
    "author": "Outgoing Mail Routing contributors",
    "website": "https://www.odoo.com/documentation/19.0/",
    "license": "LGPL-3",
    "depends": ["mail"],
    "external_dependencies": {"python": ["idna"]},
    "data": [
        "security/ir.model.access.csv",
        "wizards/mail_routing_assignment_views.xml",
        "wizards/mail_routing_simulation_views.xml",
        "views/mail_routing_overview_views.xml",
        "views/ir_mail_server_views.xml",
        "views/res_users_views.xml",
        "views/res_company_views.xml",
        "views/res_config_settings_views.xml",
        "views/fetchmail_server_views.xml",
        "views/mail_template_views.xml",
        "wizards/mail_compose_message_views.xml",
        "views/mail_mail_views.xml",
    ],
    "demo": [
        "demo/res_company_demo.xml",
        "demo/res_partner_demo.xml",
        "demo/res_users_demo.xml",
        "demo/ir_mail_server_demo.xml",
        "demo/mail_template_demo.xml",
    ],
    "assets": {
        "web.assets_backend": [
            "outgoing_mail_routing/static/src/**/*",
        ],
        "web.assets_tests": [
            "outgoing_mail_routing/static/tests/tours/*.js",
        ],
    },
    "uninstall_hook": "uninstall_hook",
    "installable": True,
}
