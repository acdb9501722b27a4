"""The sentences that explain a step.

``_`` only marks them for translation; the models translate the same text with
``env._``. The placeholders are filled from the step's values.
"""

from enum import Enum

_ = str


class Reason(str, Enum):
    """Why a rule took a server or passed it over."""

    FORCED = _("%(server)s is set on the mail itself.")
    FORCED_BARRED = _(
        "%(server)s is set on the mail itself, but it may not carry mail of "
        "%(company)s."
    )
    FORCED_ARCHIVED = _("%(server)s is set on the mail itself, but it is archived.")
    NO_SENDER = _("The mail is not sent for an internal user.")
    NO_OWN_SERVERS = _("%(user)s has no mail servers of their own.")
    OWN_SERVERS_OFF = _("%(user)s does not use their own mail servers.")
    PERSONAL = _("%(server)s is the personal server of the user and sends as %(email)s.")
    OWN_MAY_SEND = _("%(server)s is assigned to %(user)s and may send as %(email)s.")
    OWN_FIRST = _(
        "%(server)s is the first server of %(user)s and none of them may send as "
        "%(email)s."
    )
    OWN_FALLBACK = _(
        "No server may send as %(email)s: %(server)s is the first server of %(user)s."
    )
    OWN_NOT_FOR_FROM = _(
        "%(server)s is assigned to %(user)s, but neither its FROM filter nor its "
        "sender address is %(email)s."
    )
    OWN_LATER = _("%(server)s is assigned to %(user)s, but another one fits better.")
    DELEGATED = _("%(server)s is assigned to %(user)s and allows delegation.")
    NOT_DELEGATED = _(
        "%(server)s is assigned to %(user)s and does not allow colleagues to send "
        "through it."
    )
    NO_COMPANY_SERVERS = _("%(company)s has no mail servers of its own.")
    COMPANY_MAY_SEND = _(
        "%(server)s is assigned to %(company)s and may send as %(email)s."
    )
    COMPANY_FIRST = _(
        "%(server)s is the first server of %(company)s and none of them may send as "
        "%(email)s."
    )
    COMPANY_FALLBACK = _(
        "No server may send as %(email)s: %(server)s is the first server of "
        "%(company)s."
    )
    COMPANY_NOT_FOR_FROM = _(
        "%(server)s is assigned to %(company)s, but may not send as %(email)s."
    )
    COMPANY_LATER = _(
        "%(server)s is assigned to %(company)s, but another one fits better."
    )
    FILTER_MATCHES = _("The FROM filter of %(server)s admits %(email)s.")
    FILTER_NOWHERE = _("No FROM filter admits %(email)s.")
    ARCHIVED = _("%(server)s is archived.")
    BARRED = _("%(server)s may not carry mail of %(company)s.")
    OTHERS_PERSONAL = _("%(server)s is somebody's personal server.")
    RESERVED = _("%(server)s is reserved for the users and companies it is assigned to.")
    OTHERS_OWN = _("%(server)s is assigned to other users.")
    DEFAULT_FROM = _(
        "The FROM filter of %(server)s admits the default From address %(email)s."
    )
    DEFAULT_FROM_NOWHERE = _("No FROM filter admits the default From address %(email)s.")
    NO_DEFAULT_FROM = _("There is no default From address.")
    PRIORITY_UNFILTERED = _("%(server)s is the first server without a FROM filter.")
    PRIORITY_FIRST = _(
        "%(server)s is the first server left, although its FROM filter admits neither "
        "%(email)s nor the default From address."
    )
    NOTHING_LEFT = _("No server is left that may carry this mail.")
    SYSTEM = _("The mail leaves by the server of the command line.")
