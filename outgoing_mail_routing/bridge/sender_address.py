"""The address that a server sends as where nobody typed one."""

from .addresses import is_clean, only_email_of


def propose_sender(usable, login):
    """The login if it is an address that the filter admits, else the filter's.

    :param routing.FromFilter usable: as of :func:`.from_filters.read_usable`
    :param str login: as of :func:`login_email`
    :return: ``False`` where there is none
    """
    if login and usable.admits(login):
        return login
    return next(iter(usable.addresses), False)


def login_email(smtp_user, smtp_authentication):
    """The address that a server logs in with, if it does and that is one.

    A certificate and the command line leave what was typed as *Username* unused,
    and hidden, as core's ``_connect__`` has it.
    """
    if smtp_authentication in ("certificate", "cli"):
        return False
    return is_clean(smtp_user) and only_email_of(smtp_user)
