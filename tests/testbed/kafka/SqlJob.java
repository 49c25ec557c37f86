package com.example.game;

import com.example.orders.Control;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * One job written in SQL: statements, of which the last inserts.
 *
 * <p>Arguments: {@code --name NAME --control FOLDER --sql STATEMENTS}, divided by semicolons.
 * {@code PACED(amount)} is the amount; while {@code sink.delay_ms} says so, each takes that long.
 */
public final class SqlJob {

    private SqlJob() {}

    public static void main(String[] args) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            options.put(args[i], args[i + 1]);
        }
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        tables.getConfig().set("pipeline.name", options.get("--name"));
        Control control = new Control(options.get("--control"));
        tables.createTemporarySystemFunction("PACED", new Paced(control));
        for (String statement : options.get("--sql").split(";")) {
            if (!statement.isBlank()) {
                tables.executeSql(statement);
            }
        }
    }

    /** The hand on a job that is only SQL. */
    public static final class Paced extends ScalarFunction {

        private static final long serialVersionUID = 1L;
        private static final long LOOK_MS = 50;

        private final Control control;

        public Paced(Control control) {
            this.control = control;
        }

        public Long eval(Long amount) throws InterruptedException {
            // An order may be withdrawn while it is being obeyed.
            long begun = System.nanoTime();
            for (long left = delay(begun); left > 0; left = delay(begun)) {
                Thread.sleep(Math.min(left, LOOK_MS));
            }
            return amount;
        }

        @Override
        public boolean isDeterministic() {
            return false;
        }

        private long delay(long begun) {
            return control.number("sink.delay_ms", 0) - (System.nanoTime() - begun) / 1_000_000;
        }
    }
}
