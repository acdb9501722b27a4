"""FROM filters, taken apart by core and read in two ways."""

from odoo.tools.mail import email_domain_normalize

from ..routing import FromFilter, parse_filter
from .addresses import email_of, is_clean


def read_as_core(servers, text):
    """A FROM filter as core's ``_match_from_filter`` takes it apart.

    A part that is no address although it has an ``@`` admits, in core, a From that is
    no address either: it becomes the address ``""``. One with a control character is
    left out: it must not get into the From that is made of it.

    :param servers: ``ir.mail_server``, any or none
    :param str text: the field of a server, maybe ``False``
    :rtype: routing.FromFilter
    """
    parts = list(filter(is_clean, servers._parse_from_filter(text)))
    return FromFilter(
        text or "",
        tuple([email_of(part) for part in parts if "@" in part]),
        tuple(
            [email_domain_normalize(part) for part in parts if "@" not in part],
        ),
    )


def read_usable(servers, text):
    """A FROM filter without the parts that are no address and no domain.

    :param servers: ``ir.mail_server``, any or none
    :param str text: the field of a server, maybe ``False``
    :rtype: routing.FromFilter
    """
    parts = servers._parse_from_filter(text)
    return parse_filter(text or "", tuple(parts))
