"""The sentences that explain a step.

``_lt`` only marks them for translation; the models translate the same text with
``env._``. The placeholders are filled from the step's values.
"""

from enum import Enum, unique

_lt = str


@unique
class Reason(Enum):
    """Why a rule took a server or passed it over; its value is the sentence."""

    FORCED = _lt("%(server)s is set on the mail itself.")
    FORCED_BARRED = _lt(
        "%(server)s is set on the mail itself, but it may not carry mail of "
        "%(company)s."
    )
    FORCED_ARCHIVED = _lt("%(server)s is set on the mail itself, but it is archived.")
    FORCED_OUT_OF_SERVICE = _lt(
        "%(server)s is set on the mail itself, but it is out of service."
    )
    # names no server: whoever reads why a mail failed need not be its owner
    FORCED_PERSONAL = _lt(
        "The server set on the mail itself is a personal server, and this mail is not "
        "one that it may carry."
    )
    # likewise: whoever made the mail may not know the server
    FORCED_CLOSED = _lt(
        "The server set on the mail itself is not open to everybody who made or "
        "changed this mail."
    )
    NO_SENDER = _lt("The mail is not sent for an internal user.")
    NO_OWN_SERVERS = _lt("%(user)s has no mail servers of their own.")
    OWN_SERVERS_OFF = _lt("%(user)s does not use their own mail servers.")
    PERSONAL = _lt(
        "%(server)s is the personal server of the user and sends as %(email)s."
    )
    PERSONAL_NOT_FOR_FROM = _lt(
        "%(server)s is the personal server of the user, but does not send as %(email)s."
    )
    OWN_MAY_SEND = _lt("%(server)s is assigned to %(user)s and may send as %(email)s.")
    OWN_FIRST = _lt(
        "%(server)s is the first server of %(user)s and none of them may send as "
        "%(email)s."
    )
    OWN_FALLBACK = _lt(
        "No server may send as %(email)s: %(server)s is the first server of %(user)s."
    )
    OWN_NOT_FOR_FROM = _lt(
        "%(server)s is assigned to %(user)s, but neither its FROM filter nor its "
        "sender address is %(email)s."
    )
    OWN_LATER = _lt(
        "%(server)s is assigned to %(user)s, but another one goes before it."
    )
    DELEGATED = _lt(
        "%(server)s is assigned to %(user)s and carries what others send in their name."
    )
    NOT_DELEGATED = _lt(
        "%(server)s is assigned to %(user)s and carries nothing that colleagues send "
        "in their name."
    )
    NOT_FOR_ODOO = _lt(
        "%(server)s is assigned to %(user)s and carries nothing that Odoo makes in "
        "their name."
    )
    NOT_IN_COMPANY = _lt(
        "%(server)s is assigned to %(user)s, who and the sender do not both belong to "
        "%(company)s."
    )
    NO_COMPANY_SERVERS = _lt("%(company)s has no mail servers of its own.")
    INHERITED = _lt(
        "%(company)s has no mail servers of its own: those of %(parent)s are inherited."
    )
    COMPANY_MAY_SEND = _lt(
        "%(server)s is assigned to %(company)s and may send as %(email)s."
    )
    COMPANY_FIRST = _lt(
        "%(server)s is the first server of %(company)s and none of them may send as "
        "%(email)s."
    )
    COMPANY_FALLBACK = _lt(
        "No server may send as %(email)s: %(server)s is the first server of "
        "%(company)s."
    )
    COMPANY_NOT_FOR_FROM = _lt(
        "%(server)s is assigned to %(company)s, but may not send as %(email)s."
    )
    COMPANY_LATER = _lt(
        "%(server)s is assigned to %(company)s, but another one goes before it."
    )
    FILTER_MATCHES = _lt("The FROM filter of %(server)s admits %(email)s.")
    FILTER_NOWHERE = _lt("No FROM filter admits %(email)s.")
    ARCHIVED = _lt("%(server)s is archived.")
    OUT_OF_SERVICE = _lt("%(server)s is out of service.")
    BARRED = _lt("%(server)s may not carry mail of %(company)s.")
    RESERVED = _lt(
        "%(server)s is reserved for the users and companies it is assigned to."
    )
    OTHERS_OWN = _lt("%(server)s only carries mail of its own users.")
    NO_SENDER_ADDRESS = _lt(
        "%(server)s may not send as %(email)s and has no sender address instead."
    )
    FILTER_NOT_ALLOWED = _lt(
        "The FROM filter of %(server)s admits %(email)s, but its policy does not let "
        "it send as that address."
    )
    NO_FROM = _lt("The mail has no valid From address.")
    DEFAULT_FROM = _lt(
        "The FROM filter of %(server)s admits the default From address %(email)s."
    )
    DEFAULT_FROM_NOWHERE = _lt(
        "No FROM filter admits the default From address %(email)s."
    )
    NO_DEFAULT_FROM = _lt("There is no default From address.")
    PRIORITY_UNFILTERED = _lt("%(server)s is the first server without a FROM filter.")
    PRIORITY_FIRST = _lt(
        "%(server)s is the first server left, although its FROM filter admits neither "
        "%(email)s nor the default From address."
    )
    NOTHING_LEFT = _lt("No server is left that may carry this mail.")
    SYSTEM = _lt("The mail leaves through the server of Odoo's configuration.")
