"""A shop's checkout over HTTP: shop_http.py [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`."""

import http.client
import json
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 30  # how long one call may take, all its attempts together
TTL_MS = 600_000  # how long a customer has to pay

BASE = f"http://{sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1:7080'}/v1"


class Refused(Exception):
    """The answer is no, and asking again will not change it."""

    def __init__(self, problem):
        super().__init__(problem["detail"])
        self.code = problem["code"]
        self.lines = problem.get("lines", [])


def call(path, body):
    """Posts until it is answered, the same body each time: the id in it makes that safe."""
    give_up = time.monotonic() + PATIENCE_S
    pause = 0.05
    while True:
        request = urllib.request.Request(
            BASE + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if not problem["retryable"]:  # true of 503 alone
                raise Refused(problem) from None
            failed, wait = error, max(problem["retry_after_ms"] / 1000, pause)
        except (OSError, http.client.HTTPException) as error:  # no answer: it may or may not have been done
            failed, wait = error, pause
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
    line = {"sku": sku, "quantity": int(quantity)}
    path = "/reservations/" + urllib.parse.quote(order, safe="")
    try:
        held = call("/reservations", {"id": order, "holder": customer, "ttl_ms": int(ttl_ms), "lines": [line]})
    except Refused as no:
        if no.code == "insufficient_stock":
            return f"sold out, {no.lines[0]['available']} left"
        if no.code == "limit_exceeded":
            return f"over the limit, {no.lines[0]['left']} left"
        if no.code in ("expired", "already_released"):  # this order is over; a new attempt is a new order
            return "ended before"
        raise
    if held["state"] == "captured":  # an earlier run of this program came this far
        return "sold"
    if not pay(order):
        call(path + "/release", {})
        return "cancelled"
    try:
        call(path + "/capture", {})
    except Refused as no:
        if no.code in ("expired", "already_released"):  # paid too late: the units are somebody else's by now
            return "too late, refunded"
        raise
    return "sold"


while line := sys.stdin.readline():
    order = line.split()
    print(order[0], buy(*order), flush=True)
