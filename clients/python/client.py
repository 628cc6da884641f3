"""redis-py drives Sumun: client.py ADDRESS CUTTING_ADDRESS PROTOCOL. Prints one line that begins with `ok`."""

import sys

import redis


def connect(address, protocol):
    host, port = address.rsplit(":", 1)
    # Everything else is the library's default, its retries included: those are what is looked at.
    return redis.Redis(host=host, port=int(port), protocol=protocol, decode_responses=True, socket_timeout=10)


def say(connection, command):
    return connection.execute_command(*command.split(" "))


def entries(reply):
    """A map, which RESP2 shows as a flat list."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2]))


def equal(seen, expected):
    assert seen == expected, f"{seen!r} is not {expected!r}"


def verbs(r):
    equal(r.execute_command("CONFIGURE", "shirt", "LIMIT", 100000, "METADATA", '{"n": 1}'), 0)
    for _ in range(2):
        equal(say(r, "RECEIVE shirt 100000 ID m1"), 100000)
    equal(say(r, "RECEIVE hat 1 ID m1"), 1)
    equal(say(r, "ADJUST shirt -1000 REASON broken ID m2"), 99000)
    for replayed in (0, 1):
        held = entries(say(r, "RESERVE r1 60000 1 shirt 5 FOR kim"))
        equal((held["state"], held["replayed"]), ("held", replayed))
    equal(entries(say(r, "EXTEND r1 120000"))["state"], "held")
    equal(entries(say(r, "CAPTURE r1 1 shirt 2 ID c1"))["state"], "held")
    equal(entries(say(r, "RELEASE r1 1 shirt 1 ID x1"))["state"], "held")
    equal(entries(say(r, "RETURN r1 1 shirt 1 ID t1"))["state"], "held")
    equal(entries(say(r, "CAPTURE r1"))["state"], "captured")
    equal(entries(say(r, "RELEASE gone"))["tombstone"], 1)
    record = entries(say(r, "RESERVATION r1"))
    line = entries(record["lines"][0])
    equal((record["state"], line["captured"], line["released"], line["returned"]), ("captured", 4, 1, 1))
    item = entries(say(r, "ITEM shirt"))
    equal((item["on_hand"], entries(item["limit"])["quantity"], item["metadata"]), (98997, 100000, '{"n": 1}'))
    null = say(r, "ITEM nosuch")
    assert null is None
    return type(say(r, "ITEM shirt")).__name__, repr(null)


def error(r):
    try:
        say(r, "RESERVE r2 60000 1 hat 2")
    except redis.ResponseError as refused:
        equal(str(refused), "INSUFFICIENT hat wanted 2 available 1")
        return type(refused).__name__
    raise AssertionError("a refusal is an error")


def pipelines(r):
    # The default pipeline is a transaction.
    pipe = r.pipeline()
    for command in ("RESERVE t1 60000 1 hat 1", "RESERVE t2 60000 1 hat 1", "ITEM hat"):
        pipe.execute_command(*command.split(" "))
    held, refused, item = pipe.execute(raise_on_error=False)
    equal(entries(held)["state"], "held")
    assert isinstance(refused, redis.ResponseError) and "INSUFFICIENT hat wanted 1 available 0" in str(refused), refused
    equal(entries(item)["reserved"], 1)
    pipe = r.pipeline(transaction=False)
    for n in range(1000):
        pipe.execute_command("RESERVE", f"p{n}", 60000, 1, "shirt", 1, "FOR", "kim")
    replies = [entries(reply) for reply in pipe.execute()]
    equal({reply["state"] for reply in replies}, {"held"})
    sequences = [reply["sequence"] for reply in replies]
    equal(sequences, sorted(sequences))


def twice(action):
    """Does it again when the library gives up, and says who sent again: the library (`yes`) or we (`no`)."""
    try:
        return action(), "yes"
    except redis.ConnectionError:
        return action(), "no"


def cut(r, through):
    """The connection is cut after the request was forwarded: sent again, by the library or by us, it has one effect."""
    reply, again = twice(lambda: entries(say(through, "RESERVE cut-one 60000 1 shirt 1 FOR kim")))
    equal((reply["state"], reply["replayed"]), ("held", 1))
    equal(entries(say(r, "ITEM shirt"))["reserved"], 1001)

    def transaction():
        pipe = through.pipeline()
        pipe.execute_command(*"RESERVE cut-all 60000 1 shirt 1 FOR kim".split(" "))
        pipe.execute_command("ITEM", "shirt")
        return pipe.execute()

    (reply, _), again_all = twice(transaction)
    equal(entries(reply)["state"], "held")
    equal(entries(say(r, "ITEM shirt"))["reserved"], 1002)
    return f"again={again} transaction-again={again_all}"


def main():
    address, cutting, protocol = sys.argv[1], sys.argv[2], int(sys.argv[3])
    r = connect(address, protocol)
    assert r.ping()
    shape, null = verbs(r)
    refusal = error(r)
    pipelines(r)
    again = cut(r, connect(cutting, protocol))
    print(f"ok redis-py {redis.__version__} resp{protocol} map={shape} null={null} error={refusal} {again}")


main()
