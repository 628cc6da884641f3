import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import redis.clients.jedis.AbstractTransaction;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.Response;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.util.KeyValue;

/** Jedis drives Sumun: Client ADDRESS CUTTING_ADDRESS PROTOCOL. Prints one line that begins with {@code ok}. */
public final class Client {
    record Verb(String name) implements ProtocolCommand {
        @Override
        public byte[] getRaw() {
            return name.getBytes(StandardCharsets.UTF_8);
        }
    }

    private final RedisClient client;

    private Client(RedisClient client) {
        this.client = client;
    }

    static RedisClient connect(String address, String protocol) {
        var config = DefaultJedisClientConfig.builder()
                .protocol(protocol.equals("3") ? RedisProtocol.RESP3 : RedisProtocol.RESP2)
                .build();
        return RedisClient.builder().hostAndPort(HostAndPort.from(address)).clientConfig(config).build();
    }

    static String[] rest(String... words) {
        return java.util.Arrays.copyOfRange(words, 1, words.length);
    }

    static Object call(RedisClient client, String... words) {
        return client.sendCommand(new Verb(words[0]), rest(words));
    }

    private Object say(String command) {
        return call(client, command.split(" "));
    }

    private String state(String command) {
        return text(entries(say(command)).get("state"));
    }

    static String text(Object reply) {
        return reply instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : String.valueOf(reply);
    }

    /** A map: a flat list in RESP2, a list of pairs in RESP3. */
    static Map<String, Object> entries(Object reply) {
        var out = new HashMap<String, Object>();
        if (reply instanceof Map<?, ?> map) {
            map.forEach((name, value) -> out.put(text(name), value));
            return out;
        }
        var list = (List<?>) reply;
        if (!list.isEmpty() && list.get(0) instanceof KeyValue<?, ?>) {
            list.forEach(pair -> out.put(text(((KeyValue<?, ?>) pair).getKey()), ((KeyValue<?, ?>) pair).getValue()));
            return out;
        }
        for (int i = 0; i + 1 < list.size(); i += 2) {
            out.put(text(list.get(i)), list.get(i + 1));
        }
        return out;
    }

    static String shape(Object reply) {
        if (reply instanceof List<?> list && list.get(0) instanceof KeyValue<?, ?>) {
            return "List<KeyValue>";
        }
        return reply instanceof List<?> ? "List" : reply.getClass().getSimpleName();
    }

    static void equal(Object seen, Object expected) {
        if (!Objects.equals(seen, expected)) {
            throw new AssertionError(seen + " is not " + expected);
        }
    }

    private Object[] verbs() {
        equal(call(client, "CONFIGURE", "shirt", "LIMIT", "100000", "METADATA", "{\"n\": 1}"), 0L);
        equal(say("RECEIVE shirt 100000 ID m1"), 100000L);
        equal(say("RECEIVE shirt 100000 ID m1"), 100000L);
        equal(say("RECEIVE hat 1 ID m1"), 1L);
        equal(say("ADJUST shirt -1000 REASON broken ID m2"), 99000L);
        for (long replayed = 0; replayed < 2; replayed++) {
            var held = entries(say("RESERVE r1 60000 1 shirt 5 FOR kim"));
            equal(text(held.get("state")), "held");
            equal(held.get("replayed"), replayed);
        }
        equal(state("EXTEND r1 120000"), "held");
        equal(state("CAPTURE r1 1 shirt 2 ID c1"), "held");
        equal(state("RELEASE r1 1 shirt 1 ID x1"), "held");
        equal(state("RETURN r1 1 shirt 1 ID t1"), "held");
        equal(state("CAPTURE r1"), "captured");
        equal(entries(say("RELEASE gone")).get("tombstone"), 1L);
        var record = entries(say("RESERVATION r1"));
        var line = entries(((List<?>) record.get("lines")).get(0));
        equal(text(record.get("state")), "captured");
        equal(List.of(line.get("captured"), line.get("released"), line.get("returned")), List.of(4L, 1L, 1L));
        var item = say("ITEM shirt");
        equal(entries(item).get("on_hand"), 98997L);
        equal(entries(entries(item).get("limit")).get("quantity"), 100000L);
        equal(text(entries(item).get("metadata")), "{\"n\": 1}");
        var none = say("ITEM nosuch");
        equal(none, null);
        return new Object[] {shape(item), none};
    }

    private String refusal() {
        try {
            say("RESERVE r2 60000 1 hat 2");
        } catch (JedisDataException refused) {
            equal(refused.getMessage(), "INSUFFICIENT hat wanted 2 available 1");
            return refused.getClass().getSimpleName();
        }
        throw new AssertionError("a refusal is an error");
    }

    private void pipelines() {
        try (AbstractTransaction transaction = client.multi()) {
            for (var command : List.of("RESERVE t1 60000 1 hat 1", "RESERVE t2 60000 1 hat 1", "ITEM hat")) {
                var words = command.split(" ");
                transaction.sendCommand(new Verb(words[0]), rest(words));
            }
            var replies = transaction.exec();
            equal(text(entries(replies.get(0)).get("state")), "held");
            equal(((JedisDataException) replies.get(1)).getMessage(), "INSUFFICIENT hat wanted 1 available 0");
            equal(entries(replies.get(2)).get("reserved"), 1L);
        }
        var replies = new ArrayList<Response<Object>>();
        try (Pipeline pipeline = client.pipelined()) {
            for (int n = 0; n < 1000; n++) {
                replies.add(pipeline.sendCommand(new Verb("RESERVE"),
                        "p" + n, "60000", "1", "shirt", "1", "FOR", "kim"));
            }
            pipeline.sync();
        }
        long last = 0;
        for (var reply : replies) {
            var held = entries(reply.get());
            equal(text(held.get("state")), "held");
            long sequence = (Long) held.get("sequence");
            equal(sequence > last, true);
            last = sequence;
        }
    }

    /**
     * The connection is cut after the request was forwarded: sent again, by the library or by us, it has one effect.
     */
    private String cut(RedisClient through) {
        var again = twice(() -> {
            var held = entries(call(through, "RESERVE cut-one 60000 1 shirt 1 FOR kim".split(" ")));
            equal(text(held.get("state")), "held");
            equal(held.get("replayed"), 1L);
        });
        equal(entries(say("ITEM shirt")).get("reserved"), 1001L);
        var againAll = twice(() -> {
            try (AbstractTransaction transaction = through.multi()) {
                transaction.sendCommand(new Verb("RESERVE"), "cut-all", "60000", "1", "shirt", "1", "FOR", "kim");
                transaction.sendCommand(new Verb("ITEM"), "shirt");
                equal(text(entries(transaction.exec().get(0)).get("state")), "held");
            }
        });
        equal(entries(say("ITEM shirt")).get("reserved"), 1002L);
        return "again=" + again + " transaction-again=" + againAll;
    }

    /** Does it again when the library gives up, and says who sent again: the library (yes) or we (no). */
    private static String twice(Runnable action) {
        try {
            action.run();
            return "yes";
        } catch (JedisConnectionException lost) {
            action.run();
            return "no";
        }
    }

    public static void main(String[] arguments) {
        var protocol = arguments[2];
        try (var direct = connect(arguments[0], protocol); var through = connect(arguments[1], protocol)) {
            var client = new Client(direct);
            equal(direct.ping(), "PONG");
            var seen = client.verbs();
            var refused = client.refusal();
            client.pipelines();
            var again = client.cut(through);
            var version = RedisClient.class.getProtectionDomain().getCodeSource().getLocation().getPath()
                    .replaceAll(".*jedis-(.*)\\.jar", "$1");
            System.out.printf("ok jedis %s resp%s map=%s null=%s error=%s %s%n",
                    version, protocol, seen[0], seen[1], refused, again);
        }
    }
}
