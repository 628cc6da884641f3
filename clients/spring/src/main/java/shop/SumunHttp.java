package shop;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.http.MediaType;
import org.springframework.http.client.JdkClientHttpRequestFactory;
import org.springframework.stereotype.Component;
import org.springframework.web.client.ResourceAccessException;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestClientResponseException;

@Component
@ConditionalOnProperty(name = "sumun.protocol", havingValue = "http")
class SumunHttp implements Sumun {
    record Reservation(String state) {}

    /** The body of every answer but a 2xx. */
    record Problem(String code, String detail, boolean retryable, Long retry_after_ms, List<Line> lines) {
        record Line(String sku, Long available, Long left) {}
    }

    private final RestClient client;
    private final Duration patience;

    SumunHttp(
            RestClient.Builder builder,
            @Value("${sumun.http}") String address,
            @Value("${sumun.patience}") Duration patience) {
        var factory = new JdkClientHttpRequestFactory();
        factory.setReadTimeout(Duration.ofSeconds(5));
        client = builder.baseUrl("http://" + address + "/v1").requestFactory(factory).build();
        this.patience = patience;
    }

    @Override
    public String reserve(String id, String holder, String sku, long quantity, long ttlMs) {
        var lines = List.of(Map.of("sku", sku, "quantity", quantity));
        return post("/reservations", Map.of("id", id, "holder", holder, "ttl_ms", ttlMs, "lines", lines));
    }

    @Override
    public String capture(String id) {
        return post("/reservations/{id}/capture", Map.of(), id);
    }

    @Override
    public String release(String id) {
        return post("/reservations/{id}/release", Map.of(), id);
    }

    private String post(String path, Object body, Object... names) {
        return Sumun.persist(patience, () -> {
            try {
                var request = client.post().uri(path, names).contentType(MediaType.APPLICATION_JSON).body(body);
                return request.retrieve().body(Reservation.class).state;
            } catch (RestClientResponseException answer) {
                var problem = answer.getResponseBodyAs(Problem.class);
                if (problem == null) throw answer;
                if (problem.retryable) throw new Later(problem.retry_after_ms, answer); // true of 503 alone
                throw refused(problem);
            } catch (ResourceAccessException lost) {
                throw new Later(0, lost);
            }
        });
    }

    private static Refused refused(Problem problem) {
        return switch (problem.code) {
            case "insufficient_stock" ->
                new Refused(Refused.Why.SOLD_OUT, problem.lines.get(0).available, problem.detail);
            case "limit_exceeded" -> new Refused(Refused.Why.OVER_LIMIT, problem.lines.get(0).left, problem.detail);
            case "expired", "already_released" -> new Refused(Refused.Why.ENDED, -1, problem.detail);
            default -> new Refused(Refused.Why.OTHER, -1, problem.detail);
        };
    }
}
