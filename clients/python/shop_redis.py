"""A shop's checkout over RESP: shop_redis.py [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`."""

import random
import re
import sys
import time

import redis

PATIENCE_S = 30  # how long one call may take, all its attempts together
TTL_MS = 600_000  # how long a customer has to pay

host, _, port = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:6380").rpartition(":")
# RESP3 makes a map a dict. The library's own retries may stay on: whatever is sent twice has one effect.
sumun = redis.Redis(host=host, port=int(port), protocol=3, decode_responses=True, socket_timeout=5)


class Refused(Exception):
    """The answer is no, and asking again will not change it."""

    def __init__(self, text):
        super().__init__(text)
        self.word = text.split(" ")[0]
        self.last = text.split(" ")[-1]


def call(*command):
    """Sends a command until it is answered, the same words each time: the id in them makes that safe."""
    give_up = time.monotonic() + PATIENCE_S
    pause = 0.05
    while True:
        try:
            return sumun.execute_command(*command)
        except (redis.ConnectionError, redis.TimeoutError) as error:  # no answer, or LOADING
            failed, wait = error, pause
        except redis.ResponseError as error:
            text = str(error)
            overloaded = re.fullmatch(r"OVERLOADED retry after (\d+) ms", text)
            if overloaded:
                wait = max(int(overloaded[1]) / 1000, pause)
            elif text.startswith("MISCONF"):
                wait = pause
            else:
                raise Refused(text) from None
            failed = error
        wait *= random.uniform(1, 1.5)
        if time.monotonic() + wait > give_up:
            raise failed
        time.sleep(wait)
        pause = min(pause * 2, 2)


def pay(order):
    """Stands for your payment provider, who gets the order's id as its own idempotency key."""
    print("pay", order, flush=True)
    return sys.stdin.readline().strip() == "paid"


def buy(order, customer, sku, quantity, ttl_ms=TTL_MS):
    try:
        held = call("RESERVE", order, ttl_ms, 1, sku, quantity, "FOR", customer)
    except Refused as no:
        if no.word == "INSUFFICIENT":
            return f"sold out, {no.last} left"
        if no.word == "LIMIT":
            return f"over the limit, {no.last} left"
        if no.word in ("EXPIRED", "RELEASED"):  # this order is over; a new attempt is a new order
            return "ended before"
        raise
    if held["state"] == "captured":  # an earlier run of this program came this far
        return "sold"
    if not pay(order):
        call("RELEASE", order)
        return "cancelled"
    try:
        call("CAPTURE", order)
    except Refused as no:
        if no.word in ("EXPIRED", "RELEASED"):  # paid too late: the units are somebody else's by now
            return "too late, refunded"
        raise
    return "sold"


while line := sys.stdin.readline():
    order = line.split()
    print(order[0], buy(*order), flush=True)
