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
 * <p>There is nothing to distribute: each reader makes its own orders, so no split is ever given.
 */
public final class OrdersSource implements Source<String, OrdersSource.NoSplit, Integer> {

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
    public SourceReader<String, NoSplit> createReader(SourceReaderContext context) {
        return new OrdersReader(context, control, recordsPerSecond, parallelism);
    }

    @Override
    public SplitEnumerator<NoSplit, Integer> createEnumerator(SplitEnumeratorContext<NoSplit> to) {
        return new NoEnumerator();
    }

    @Override
    public SplitEnumerator<NoSplit, Integer> restoreEnumerator(
            SplitEnumeratorContext<NoSplit> to, Integer checkpoint) {
        return new NoEnumerator();
    }

    @Override
    public SimpleVersionedSerializer<NoSplit> getSplitSerializer() {
        return new SimpleVersionedSerializer<NoSplit>() {
            @Override
            public int getVersion() {
                return 1;
            }

            @Override
            public byte[] serialize(NoSplit split) {
                return new byte[0];
            }

            @Override
            public NoSplit deserialize(int version, byte[] bytes) {
                return new NoSplit();
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

    /** Never made; the API wants a type. */
    public static final class NoSplit implements SourceSplit {
        @Override
        public String splitId() {
            return "none";
        }
    }

    private static final class NoEnumerator implements SplitEnumerator<NoSplit, Integer> {
        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public void addSplitsBack(List<NoSplit> splits, int subtask) {}

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
