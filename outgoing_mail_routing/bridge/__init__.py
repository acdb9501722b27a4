"""The floor between the decision and the models: plain classes on an environment.

It turns records into the facts that ``routing/`` decides on, and its answers into
headers and sentences. Models and wizards use it; it imports ``routing/`` and no model,
so that an editor and a type checker see where a mail goes.

* ``server_rows``: whether the rows of servers changed, and which of them.
* ``directory_source``: the index of all servers, and what of records it is made of.
* ``facts``: users and companies as facts of a request.
* ``known_addresses``: whose addresses are, and which of them Odoo receives.
* ``message_request``: what a message asks that no mail stands behind.
* ``company_facts``: what the forms of companies tell of, for many of them at once.
* ``preview``: where mail would go that nobody has made, for forms and pages.
* ``answers``: whether what is answered to mail comes back to Odoo.
* ``message_headers``: From, Reply-To and Return-Path of a routed message.
* ``explanation``: a route as an administrator reads it.
* ``carrier``: how facts and decisions travel through core, and cannot be forged.
* ``origin``, ``company_text``: what else travels so.
* ``notes``: the log of many records, written at once.
* ``found_ids``: whom a file names by database id, looked up at once.
* ``kept_values``: what the cache has of many records, read at once.
* ``registry_cache``: forgetting what a process keeps.
* ``addresses``, ``from_filters``, ``telling``: texts of whatever kind.
"""
