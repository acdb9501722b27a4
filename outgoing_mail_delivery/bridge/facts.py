"""What the journal says of a message, besides to whom it was offered and what came."""

from .words import clean


def mail_facts(mail):
    """The columns of an attempt that tell which mail it was.

    :param mail: ``mail.mail`` as superuser
    :return: values by column, as SQL and the ORM take them
    """
    return {
        "mail_mail_id_int": mail.id,
        "message_id": mail.message_id,
        "subject": clean(mail.subject or "") or None,
        "model": mail.model or None,
        "res_id": mail.res_id or None,
        "mail_message_id": mail.mail_message_id.id,
        "lane": mail.delivery_lane,
    }


def route_facts(routed):
    """The columns of an attempt that tell by which route a message left, and why.

    :param RoutedFrom routed: the From that it left with, and its decision
    :return: as of :func:`mail_facts`
    """
    decision, request = routed.decision, routed.request
    profile = decision.profile
    return {
        "email_from_before": clean(request.email_from or "") or None,
        "email_from": clean(str(routed)) or None,
        "rule": decision.rule.value,
        "reason": decision.steps[-1].reason.name if decision.steps else None,
        "company_id": request.company.id if request.company else None,
        "sender_id": request.sender.id if request.sender else None,
        "mail_server_id": profile.id if profile else None,
        "mail_server_name": profile.name if profile else None,
    }
