package shop;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.regex.Pattern;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.stereotype.Component;
import redis.clients.jedis.BuilderFactory;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.CommandObject;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;

@Component
@ConditionalOnProperty(name = "sumun.protocol", havingValue = "resp")
class SumunRedis implements Sumun, AutoCloseable {
    enum Verb implements ProtocolCommand {
        RESERVE, CAPTURE, RELEASE;

        @Override
        public byte[] getRaw() {
            return name().getBytes(StandardCharsets.UTF_8);
        }
    }

    private static final Pattern OVERLOADED = Pattern.compile("OVERLOADED retry after (\\d+) ms");

    private final RedisClient client;
    private final Duration patience;

    SumunRedis(@Value("${sumun.resp}") String address, @Value("${sumun.patience}") Duration patience) {
        var config = DefaultJedisClientConfig.builder()
                .protocol(RedisProtocol.RESP3)
                .timeoutMillis(5_000)
                .build();
        client = RedisClient.builder().hostAndPort(HostAndPort.from(address)).clientConfig(config).build();
        this.patience = patience;
    }

    @Override
    public String reserve(String id, String holder, String sku, long quantity, long ttlMs) {
        return send(Verb.RESERVE, id, Long.toString(ttlMs), "1", sku, Long.toString(quantity), "FOR", holder);
    }

    @Override
    public String capture(String id) {
        return send(Verb.CAPTURE, id);
    }

    @Override
    public String release(String id) {
        return send(Verb.RELEASE, id);
    }

    @Override
    public void close() {
        client.close();
    }

    private String send(Verb verb, String... words) {
        var command = new CommandArguments(verb).addObjects((Object[]) words);
        return Sumun.persist(patience, () -> {
            try {
                // The builder reads a map of RESP2 and of RESP3.
                var map = client.executeCommand(new CommandObject<>(command, BuilderFactory.ENCODED_OBJECT_MAP));
                return String.valueOf(map.get("state"));
            } catch (JedisConnectionException lost) {
                throw new Later(0, lost);
            } catch (JedisDataException answer) {
                throw refused(answer);
            }
        });
    }

    private static RuntimeException refused(JedisDataException answer) {
        var text = answer.getMessage();
        var words = text.split(" ");
        var overloaded = OVERLOADED.matcher(text);
        if (overloaded.matches()) return new Later(Long.parseLong(overloaded.group(1)), answer);
        return switch (words[0]) {
            case "LOADING", "MISCONF" -> new Later(0, answer);
            case "INSUFFICIENT" -> new Refused(Refused.Why.SOLD_OUT, Long.parseLong(words[words.length - 1]), text);
            case "LIMIT" -> new Refused(Refused.Why.OVER_LIMIT, Long.parseLong(words[words.length - 1]), text);
            case "EXPIRED", "RELEASED" -> new Refused(Refused.Why.ENDED, -1, text);
            default -> new Refused(Refused.Why.OTHER, -1, text);
        };
    }
}
