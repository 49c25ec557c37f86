package com.example.game;

import com.example.orders.Control;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * What players spend: amounts, one a record, read from Kafka and added up in Redis.
 *
 * <p>Arguments: {@code --name NAME --bootstrap HOST:PORT --topic TOPIC --group GROUP --redis PORT
 * --control FOLDER}. While {@code sink.delay_ms} says so, each record takes that long.
 */
public final class GameConsume {

    private GameConsume() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            options.put(args[i], args[i + 1]);
        }
        KafkaSource<String> source =
                KafkaSource.<String>builder()
                        .setBootstrapServers(options.get("--bootstrap"))
                        .setTopics(options.get("--topic"))
                        .setGroupId(options.get("--group"))
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setValueOnlyDeserializer(new SimpleStringSchema())
                        // What it says is pending is as old as its last fetch; ten times as many are
                        // the default, which a slow sink takes minutes over.
                        .setProperty("max.poll.records", "50")
                        .build();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        Control control = new Control(options.get("--control"));
        env.fromSource(source, WatermarkStrategy.noWatermarks(), options.get("--topic"))
                .map(new Sum(control, Integer.parseInt(options.get("--redis"))))
                .name("sum-to-redis");
        env.execute(options.get("--name"));
    }

    /** One INCRBY per record, by Redis' own protocol. */
    private static final class Sum extends RichMapFunction<String, String> {

        private static final long serialVersionUID = 1L;
        private static final long LOOK_MS = 50;

        private final Control control;
        private final int port;
        private transient Socket socket;
        private transient BufferedReader answers;

        private Sum(Control control, int port) {
            this.control = control;
            this.port = port;
        }

        @Override
        public void open(OpenContext context) throws IOException {
            socket = new Socket(InetAddress.getLoopbackAddress(), port);
            socket.setTcpNoDelay(true);
            answers =
                    new BufferedReader(
                            new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
        }

        @Override
        public String map(String amount) throws Exception {
            // An order may be withdrawn while it is being obeyed.
            long begun = System.nanoTime();
            for (long left = delay(begun); left > 0; left = delay(begun)) {
                Thread.sleep(Math.min(left, LOOK_MS));
            }
            String value = amount.trim();
            String command =
                    "*3\r\n$6\r\nINCRBY\r\n$3\r\nsum\r\n$" + value.length() + "\r\n" + value + "\r\n";
            socket.getOutputStream().write(command.getBytes(StandardCharsets.UTF_8));
            String answer = answers.readLine();
            if (answer == null || !answer.startsWith(":")) {
                throw new IOException("Redis answered " + answer);
            }
            return amount;
        }

        private long delay(long begun) {
            return control.number("sink.delay_ms", 0) - (System.nanoTime() - begun) / 1_000_000;
        }

        @Override
        public void close() throws IOException {
            if (socket != null) {
                socket.close();
            }
        }
    }
}
