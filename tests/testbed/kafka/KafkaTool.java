import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What the tests do to Kafka: BOOTSTRAP create TOPIC PARTITIONS, BOOTSTRAP produce TOPIC FILE (a
 * record per line), BOOTSTRAP count TOPIC (prints how many records were ever written).
 */
public final class KafkaTool {
    private KafkaTool() {}

    public static void main(String[] args) throws Exception {
        Map<String, Object> conf = new HashMap<>();
        conf.put("bootstrap.servers", args[0]);
        switch (args[1]) {
            case "create":
                create(conf, args[2], Integer.parseInt(args[3]));
                break;
            case "produce":
                produce(conf, args[2], Path.of(args[3]));
                break;
            case "count":
                System.out.println(count(conf, args[2]));
                break;
            default:
                throw new IllegalArgumentException(args[1]);
        }
    }

    private static void create(Map<String, Object> conf, String topic, int partitions)
            throws Exception {
        try (Admin admin = Admin.create(conf)) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        }
    }

    private static void produce(Map<String, Object> conf, String topic, Path file)
            throws Exception {
        conf.put("key.serializer", ByteArraySerializer.class);
        conf.put("value.serializer", ByteArraySerializer.class);
        conf.put("linger.ms", 5);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(conf)) {
            List<Future<?>> sends = new ArrayList<>();
            for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
                byte[] value = line.getBytes(StandardCharsets.UTF_8);
                sends.add(producer.send(new ProducerRecord<>(topic, value)));
            }
            for (Future<?> send : sends) {
                send.get();
            }
        }
    }

    private static long count(Map<String, Object> conf, String topic) throws Exception {
        try (Admin admin = Admin.create(conf)) {
            Map<TopicPartition, OffsetSpec> ends =
                    admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic)
                            .partitions().stream()
                            .map(partition -> new TopicPartition(topic, partition.partition()))
                            .collect(Collectors.toMap(at -> at, at -> OffsetSpec.latest()));
            return admin.listOffsets(ends).all().get().values().stream()
                    .mapToLong(end -> end.offset())
                    .sum();
        }
    }
}
