package com.example.orders;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * A slow stream of orders that reports how many more are waiting, endless or, as the caller says,
 * bounded: that is for Flink's sake, it ends on command in both cases.
 *
 * <p>There is nothing to distribute: each reader makes its own orders. The only split there is holds
 * how far a reader has come, so that after a restore it goes on with the next order.
 */
public final class OrdersSource implements Source<String, OrdersSource.Position, Integer> {

    private static final long serialVersionUID = 1L;

    private final Control control;
    private final int recordsPerSecond;
    private final int parallelism;
    private final boolean bounded;

    public OrdersSource(
            Control control, int recordsPerSecond, int parallelism, boolean bounded) {
        this.control = control;
        this.recordsPerSecond = recordsPerSecond;
        this.parallelism = parallelism;
        this.bounded = bounded;
    }

    @Override
    public Boundedness getBoundedness() {
        return bounded ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SourceReader<String, Position> createReader(SourceReaderContext context) {
        return new OrdersReader(context, control, recordsPerSecond, parallelism);
    }

    @Override
    public SplitEnumerator<Position, Integer> createEnumerator(SplitEnumeratorContext<Position> to) {
        return new NoEnumerator();
    }

    @Override
    public SplitEnumerator<Position, Integer> restoreEnumerator(
            SplitEnumeratorContext<Position> to, Integer checkpoint) {
        return new NoEnumerator();
    }

    @Override
    public SimpleVersionedSerializer<Position> getSplitSerializer() {
        return new SimpleVersionedSerializer<Position>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(Position split) {
                return Long.toString(split.next).getBytes(StandardCharsets.UTF_8);
            }

            @Override
            public Position deserialize(int version, byte[] bytes) {
                return new Position(Long.parseLong(new String(bytes, StandardCharsets.UTF_8)));
            }
        };
    }

    @Override
    public SimpleVersionedSerializer<Integer> getEnumeratorCheckpointSerializer() {
        return new SimpleVersionedSerializer<Integer>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(Integer state) {
                return state.toString().getBytes(StandardCharsets.UTF_8);
            }

            @Override
            public Integer deserialize(int version, byte[] bytes) {
                return Integer.valueOf(new String(bytes, StandardCharsets.UTF_8));
            }
        };
    }

    /** How far a reader has come. */
    public static final class Position implements SourceSplit {
        final long next;

        Position(long next) {
            this.next = next;
        }

        @Override
        public String splitId() {
            return "position";
        }
    }

    private static final class NoEnumerator implements SplitEnumerator<Position, Integer> {
        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public void addSplitsBack(List<Position> splits, int subtask) {}

        @Override
        public void addReader(int subtask) {}

        @Override
        public Integer snapshotState(long checkpointId) {
            return 0;
        }

        @Override
        public void close() {}
    }
}
