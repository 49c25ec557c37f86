package com.example.orders;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A small order pipeline whose health is decided, while it runs, by files in a control folder.
 *
 * <p>Arguments: {@code --name NAME --control FOLDER --rate RECORDS_PER_SECOND [--bounded true]
 * [--conf KEY=VALUE]...}. While {@code main.fail} exists it does not get as far as a job.
 * It uses only what every Flink from 1.15 to 2.x has, so there is one source for all of them.
 */
public final class TestJob {

    private TestJob() {}

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        Map<String, String> conf = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            if (args[i].equals("--conf")) {
                String[] pair = args[i + 1].split("=", 2);
                conf.put(pair[0], pair[1]);
            } else {
                options.put(args[i], args[i + 1]);
            }
        }
        Control control = new Control(options.get("--control"));
        int rate = Integer.parseInt(options.getOrDefault("--rate", "10"));

        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(Configuration.fromMap(conf));
        if (control.has("main.fail")) {
            throw new IllegalStateException("no table orders_v2 in the catalog");
        }
        boolean bounded = Boolean.parseBoolean(options.getOrDefault("--bounded", "false"));
        OrdersSource source = new OrdersSource(control, rate, env.getParallelism(), bounded);
        env.fromSource(source, WatermarkStrategy.noWatermarks(), "orders-source", Types.STRING)
                .uid("orders-source")
                .map(new OrderParser(control))
                .returns(Types.LONG)
                .name("parse-orders")
                .uid("parse-orders")
                .keyBy(amount -> amount % 8, Types.LONG)
                .map(new OrdersSink(control))
                .returns(Types.LONG)
                .name("orders-sink")
                .uid("orders-sink");
        env.execute(options.getOrDefault("--name", "orders"));
    }
}
