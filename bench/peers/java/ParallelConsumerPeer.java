import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Handles a topic with Confluent's Parallel Consumer and a handler that does nothing.
 *
 * <p>Arguments: bootstrap servers, topic, number of its events, KEY or UNORDERED. A part of the
 * topic is handled first, so that the JVM is warm; then all of it, by a new group, from the
 * beginning. Prints one line of JSON: the events, and the seconds from the first to the last.
 */
public final class ParallelConsumerPeer {
    private static final int CONCURRENCY = 64;
    private static final int WARM_UP_SHARE = 4;

    /**
     * Events kept to choose from. The default, 6,400 at most, fills with events of the hottest keys,
     * which wait for one another, and halves the rate by key; above 10,000 it no longer matters.
     */
    private static final int BUFFER = 100_000;

    private final AtomicLong handled = new AtomicLong();
    private final CountDownLatch done = new CountDownLatch(1);
    private volatile long beganNs;
    private volatile long endedNs;

    public static void main(String[] arguments) throws InterruptedException {
        String servers = arguments[0];
        String topic = arguments[1];
        long count = Long.parseLong(arguments[2]);
        ProcessingOrder order = ProcessingOrder.valueOf(arguments[3]);
        new ParallelConsumerPeer().handle(servers, topic, count / WARM_UP_SHARE, order);
        double seconds = new ParallelConsumerPeer().handle(servers, topic, count, order);
        System.out.printf(Locale.ROOT, "{\"events\": %d, \"seconds\": %.6f}%n", count, seconds);
        // Closing may leave threads behind that would keep the JVM from ending.
        System.exit(0);
    }

    private double handle(String servers, String topic, long count, ProcessingOrder order)
            throws InterruptedException {
        var consumer =
                new KafkaConsumer<>(
                        settings(servers), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        var options =
                ParallelConsumerOptions.<byte[], byte[]>builder()
                        .consumer(consumer)
                        .ordering(order)
                        .maxConcurrency(CONCURRENCY)
                        .messageBufferSize(BUFFER)
                        .build();
        try (var processor = ParallelStreamProcessor.createEosStreamProcessor(options)) {
            processor.subscribe(List.of(topic));
            processor.poll(_ -> note(count));
            done.await();
        }
        return (endedNs - beganNs) / 1e9;
    }

    private void note(long count) {
        long number = handled.incrementAndGet();
        if (number == 1) {
            beganNs = System.nanoTime();
        }
        if (number == count) {
            endedNs = System.nanoTime();
            done.countDown();
        }
    }

    private static Map<String, Object> settings(String servers) {
        return Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, servers,
                ConsumerConfig.GROUP_ID_CONFIG, UUID.randomUUID().toString(),
                ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
                ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 10_000,
                ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 10 << 20);
    }
}
