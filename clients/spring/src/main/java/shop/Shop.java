package shop;

import java.util.Scanner;
import org.springframework.boot.CommandLineRunner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** A shop's checkout. Each line it reads is {@code ORDER CUSTOMER SKU QUANTITY [TTL_MS]}. */
@SpringBootApplication
public class Shop implements CommandLineRunner {
    /** How long a customer has to pay. */
    private static final long TTL_MS = 600_000;

    private final Sumun sumun;
    private final Scanner input = new Scanner(System.in);

    Shop(Sumun sumun) {
        this.sumun = sumun;
    }

    public static void main(String... arguments) {
        SpringApplication.run(Shop.class, arguments);
    }

    @Override
    public void run(String... arguments) {
        while (input.hasNextLine()) {
            var order = input.nextLine().split(" ");
            long ttlMs = order.length > 4 ? Long.parseLong(order[4]) : TTL_MS;
            System.out.println(order[0] + " " + buy(order[0], order[1], order[2], Long.parseLong(order[3]), ttlMs));
        }
    }

    String buy(String order, String customer, String sku, long quantity, long ttlMs) {
        String state;
        try {
            state = sumun.reserve(order, customer, sku, quantity, ttlMs);
        } catch (Sumun.Refused no) {
            return switch (no.why) {
                case SOLD_OUT -> "sold out, " + no.left + " left";
                case OVER_LIMIT -> "over the limit, " + no.left + " left";
                case ENDED -> "ended before"; // this order is over; a new attempt is a new order
                case OTHER -> throw no;
            };
        }
        if (state.equals("captured")) return "sold"; // an earlier run of this program came this far
        if (!pay(order)) {
            sumun.release(order);
            return "cancelled";
        }
        try {
            sumun.capture(order);
        } catch (Sumun.Refused no) {
            // Paid too late: the units are somebody else's by now.
            if (no.why == Sumun.Refused.Why.ENDED) return "too late, refunded";
            throw no;
        }
        return "sold";
    }

    /** Stands for your payment provider, who gets the order's id as its own idempotency key. */
    private boolean pay(String order) {
        System.out.println("pay " + order);
        return input.nextLine().equals("paid");
    }
}
