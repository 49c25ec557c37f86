package com.example.orders;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/**
 * Parses orders, and fails on command.
 *
 * <p>{@code crash}: fail {@code crash.after_ms} after the start of the attempt, at most {@code
 * crash.limit} times, with the text of {@code crash.message}. Every failure is one line in {@code
 * failures.log} before it is thrown; only the first subtask fails, so that a line is a failure.
 * {@code checkpoint.delay_ms}: how long a snapshot blocks. {@code oom}: use up the heap. {@code
 * connector.missing}: need a class that the jar does not have, before the first record. {@code
 * restore.fail}: throw its text where there is state to begin with. {@code state.other}: the state is
 * of another type than what was written.
 *
 * <p>Each order has a number, and the state counts orders: where the two differ, one was lost or
 * taken twice, which is a line in {@code miscounts.log}. What an attempt begins with is a line in
 * {@code restored.log}. Both hold for one subtask; of several, each counts its own.
 */
public final class OrderParser implements MapFunction<String, Long>, CheckpointedFunction {

    private static final long serialVersionUID = 1L;
    private static final String POISON = "unexpected end of JSON in order 4711";

    private final Control control;
    private transient ListState<OrderCount> state;
    private transient long parsed;
    private transient long startedAt;

    public OrderParser(Control control) {
        this.control = control;
    }

    @Override
    public Long map(String order) throws Exception {
        String[] fields = order.split("-");
        if (fields[0].equals("0") && control.has("crash")) {
            failWhenDue();
        }
        if (fields[0].equals("0") && control.has("oom")) {
            useUpTheHeap();
        }
        if (parsed != Long.parseLong(fields[1])) {
            control.append("miscounts.log", parsed + " orders counted before number " + fields[1]);
        }
        parsed++;
        return Long.parseLong(fields[1]);
    }

    private void useUpTheHeap() throws IOException {
        List<byte[]> kept = new ArrayList<>();
        control.append("failures.log", Long.toString(System.currentTimeMillis()));
        while (true) {
            kept.add(new byte[1 << 20]);
        }
    }

    private void failWhenDue() throws IOException {
        long limit = control.number("crash.limit", Long.MAX_VALUE);
        long dueAt = startedAt + control.number("crash.after_ms", 200);
        if (System.currentTimeMillis() < dueAt || control.lines("failures.log") >= limit) {
            return;
        }
        String message = control.text("crash.message", POISON);
        control.append("failures.log", Long.toString(System.currentTimeMillis()));
        try {
            parseAmount(message);
        } catch (PoisonRecordException cause) {
            throw new RuntimeException("cannot parse order", cause);
        }
    }

    private static void parseAmount(String message) throws PoisonRecordException {
        throw new PoisonRecordException(message);
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        startedAt = System.currentTimeMillis();
        if (control.has("connector.missing")) {
            control.append("failures.log", Long.toString(startedAt));
            MissingConnector.connect();
        }
        if (context.isRestored() && control.has("restore.fail")) {
            control.append("failures.log", Long.toString(startedAt));
            throw new IllegalStateException(control.text("restore.fail", ""));
        }
        if (context.isRestored() && control.has("state.other")) {
            control.append("failures.log", Long.toString(startedAt));
            context.getOperatorStateStore()
                    .getListState(new ListStateDescriptor<>("parsed", String.class))
                    .get();
        }
        state =
                context.getOperatorStateStore()
                        .getListState(new ListStateDescriptor<>("parsed", OrderCount.class));
        parsed = 0;
        for (OrderCount count : state.get()) {
            parsed += count.parsed();
        }
        control.append("restored.log", Long.toString(parsed));
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        long delay = control.number("checkpoint.delay_ms", 0);
        if (delay > 0) {
            Thread.sleep(delay);
        }
        state.clear();
        state.add(new OrderCount(parsed, control));
    }
}
