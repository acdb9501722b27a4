"""A message costs one round trip: beside ``smtplib``, on the same line."""

from __future__ import annotations

import smtplib
import time

import pytest

from smtp_server import SmtpServer

from ...delivery.connection import Timeouts
from .carriers import ListCarrier, carry, message

ROUND_TRIP = 0.05
MESSAGES = 15
#: Five round trips a message against one: less on a machine that has much else to do.
TIMES = 2


@pytest.mark.slow
def test_message_costs_one_round_trip_where_pipelining_is_offered() -> None:
    messages = [message(number) for number in range(MESSAGES)]
    with SmtpServer(None, round_trip=ROUND_TRIP) as server:
        with smtplib.SMTP(server.host, server.port, timeout=60) as smtp:
            smtp.ehlo()
            started = time.perf_counter()
            for each in messages:
                smtp.sendmail(each.sender, each.recipients, each.text)
            beside = time.perf_counter() - started
        carrier = ListCarrier(messages)
        started = time.perf_counter()
        carry(server, carrier, timeouts=Timeouts())
        ours = time.perf_counter() - started
    assert len(carrier.sent) == MESSAGES
    assert beside / ours > TIMES
