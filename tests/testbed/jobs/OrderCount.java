package com.example.orders;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.CopyableValue;

/**
 * The parser's state. While {@code checkpoint.fail} exists it cannot be written.
 *
 * <p>Flink copies state while it blocks the task and writes it later in the background. A failure
 * of the first kind would restart the job; one of the second, as here, fails only the checkpoint.
 */
public final class OrderCount implements CopyableValue<OrderCount> {

    private static final long serialVersionUID = 1L;

    private long parsed;
    private transient Control control;

    public OrderCount() {}

    public OrderCount(long parsed, Control control) {
        this.parsed = parsed;
        this.control = control;
    }

    public long parsed() {
        return parsed;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
        if (control != null && control.has("checkpoint.fail")) {
            throw new IOException("no space left on checkpoint storage");
        }
        out.writeLong(parsed);
    }

    @Override
    public void read(DataInputView in) throws IOException {
        parsed = in.readLong();
    }

    @Override
    public int getBinaryLength() {
        return Long.BYTES;
    }

    @Override
    public void copyTo(OrderCount target) {
        target.parsed = parsed;
        target.control = control;
    }

    @Override
    public OrderCount copy() {
        return new OrderCount(parsed, control);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        target.writeLong(source.readLong());
    }
}
