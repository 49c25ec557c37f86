package com.example.orders;

import org.apache.flink.api.common.functions.MapFunction;

/** The end of the pipeline. {@code sink.delay_ms}: how long it takes over each order. */
public final class OrdersSink implements MapFunction<Long, Long> {

    private static final long serialVersionUID = 1L;

    private final Control control;

    public OrdersSink(Control control) {
        this.control = control;
    }

    @Override
    public Long map(Long amount) throws Exception {
        long delay = control.number("sink.delay_ms", 0);
        if (delay > 0) {
            Thread.sleep(delay);
        }
        return amount;
    }
}
