{
    "name": "Outgoing Mail Routing",
    "summary": "The right mail server, From, Reply-To and Return-Path for every "
    "company and user",
    "version": "19.0.1.0.0",
    "category": "Productivity/Discuss",
    "author": "Outgoing Mail Routing contributors",
    "license": "LGPL-3",
    "depends": ["mail"],
    "data": [
        "views/ir_mail_server_views.xml",
        "views/res_users_views.xml",
        "views/res_company_views.xml",
        "views/fetchmail_server_views.xml",
    ],
    "installable": True,
}
