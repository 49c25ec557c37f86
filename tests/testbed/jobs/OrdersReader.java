package com.example.orders;

import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.core.io.InputStatus;

/**
 * Makes the orders of one subtask, named {@code SUBTASK-NUMBER}.
 *
 * <p>{@code backlog}: the records reported as pending, over all subtasks; {@code
 * backlog.per_second} more every second since {@code backlog.since_ms}. {@code finish}: the stream
 * ends. {@code stuck}: nothing is read any more, whatever waits.
 */
final class OrdersReader implements SourceReader<String, OrdersSource.Position> {

    private final int subtask;
    private final Control control;
    private final long pauseMs;
    private long next;
    private boolean due;
    private CompletableFuture<Void> available = new CompletableFuture<>();
    private ScheduledExecutorService timer;

    OrdersReader(SourceReaderContext context, Control control, int rate, int parallelism) {
        this.subtask = context.getIndexOfSubtask();
        this.control = control;
        this.pauseMs = Math.max(1, 1000 / rate);
        context.metricGroup().setPendingRecordsGauge(() -> pending(parallelism));
    }

    private long pending(int parallelism) {
        long now = System.currentTimeMillis();
        long grownForMs = now - control.number("backlog.since_ms", now);
        long grown = control.number("backlog.per_second", 0) * grownForMs / 1000;
        long all = control.number("backlog", 0) + grown;
        return all / parallelism + (subtask < all % parallelism ? 1 : 0);
    }

    @Override
    public void start() {
        timer =
                Executors.newSingleThreadScheduledExecutor(
                        task -> {
                            Thread thread = new Thread(task, "orders-source-timer");
                            thread.setDaemon(true);
                            return thread;
                        });
        timer.scheduleAtFixedRate(this::wake, pauseMs, pauseMs, TimeUnit.MILLISECONDS);
    }

    private synchronized void wake() {
        due = true;
        available.complete(null);
    }

    private synchronized boolean takeDue() {
        boolean was = due;
        due = false;
        if (available.isDone()) {
            available = new CompletableFuture<>();
        }
        return was;
    }

    @Override
    public InputStatus pollNext(ReaderOutput<String> output) {
        if (takeDue()) {
            if (control.has("finish")) {
                return InputStatus.END_OF_INPUT;
            }
            if (!control.has("stuck")) {
                output.collect(subtask + "-" + next++);
            }
        }
        return InputStatus.NOTHING_AVAILABLE;
    }

    @Override
    public synchronized CompletableFuture<Void> isAvailable() {
        return available;
    }

    @Override
    public List<OrdersSource.Position> snapshotState(long checkpointId) {
        return Collections.singletonList(new OrdersSource.Position(next));
    }

    @Override
    public void addSplits(List<OrdersSource.Position> splits) {
        for (OrdersSource.Position split : splits) {
            next = Math.max(next, split.next);
        }
    }

    @Override
    public void notifyNoMoreSplits() {}

    @Override
    public void close() {
        if (timer != null) {
            timer.shutdownNow();
        }
    }
}
