"""The question of a message that no ``mail.mail`` stands behind."""

from ..routing import Request
from .facts import Facts, may_be_sender
from .known_addresses import KnownAddresses


def message_request(env, email_from, directory, mail_servers=None, forced_id=0):
    """The request of a message that some code sends by itself.

    It is sent for the calling user in their company, which matters only where
    something is assigned or a policy set. A personal server is open to it only
    where the caller names it among its candidates, as core's queue does, or asks
    for it by its id: core checks that one itself.

    :param str email_from: the From header of the message
    :param routing.Directory directory: all servers
    :param mail_servers: the candidates that the caller allows, ``None`` for all
    :param int forced_id: the server that the caller insists on
    :rtype: routing.Request
    """
    facts = Facts(env)
    personal = mail_servers.filtered("owner_user_id") if mail_servers else ()
    core_facts = {
        "personal_id": forced_id or (personal.id if len(personal) == 1 else 0),
        "forced_id": forced_id or 0,
        **facts.core_facts(email_from, facts.default_facts()),
    }
    if not directory.configured:
        return Request(**core_facts)
    user = env.user.sudo()
    sender = user if may_be_sender(user) else user.browse()
    known = KnownAddresses(env, directory)
    known.learn([email_from])
    colleagues = sender and known.named_by(email_from) - sender
    return Request(
        received=known.is_received(email_from),
        sender=facts.person(sender),
        colleagues=tuple(map(facts.person, colleagues)),
        company=facts.company(sender.company_id or env.company.sudo()),
        **core_facts,
    )
