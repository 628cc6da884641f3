package shop;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;

/** What a checkout asks of Sumun. Every method may be called again with the same id: it has one effect. */
public interface Sumun {
    /** Its state: {@code held}, or {@code captured} when it was before. */
    String reserve(String id, String holder, String sku, long quantity, long ttlMs);

    String capture(String id);

    String release(String id);

    /** The answer is no, and asking again will not change it. {@code left} is what could have been had, or -1. */
    final class Refused extends RuntimeException {
        enum Why { SOLD_OUT, OVER_LIMIT, ENDED, OTHER }

        final Why why;
        final long left;

        Refused(Why why, long left, String text) {
            super(text);
            this.why = why;
            this.left = left;
        }
    }

    /** No answer, or not now: it may or may not have been done. */
    final class Later extends RuntimeException {
        final long afterMs;

        Later(long afterMs, Exception cause) {
            super(cause);
            this.afterMs = afterMs;
        }
    }

    /** Asks until there is an answer, the same thing each time: the id in it makes that safe. */
    static <T> T persist(Duration patience, Supplier<T> ask) {
        long giveUp = System.nanoTime() + patience.toNanos();
        for (long pause = 50; ; pause = Math.min(pause * 2, 2_000)) {
            try {
                return ask.get();
            } catch (Later later) {
                long wait = Math.max(later.afterMs, pause);
                wait += ThreadLocalRandom.current().nextLong(wait / 2);
                if (System.nanoTime() + wait * 1_000_000 > giveUp) throw later;
                try {
                    Thread.sleep(wait);
                } catch (InterruptedException stop) {
                    Thread.currentThread().interrupt();
                    throw later;
                }
            }
        }
    }
}
