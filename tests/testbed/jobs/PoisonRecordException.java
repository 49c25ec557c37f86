package com.example.orders;

/** What is really wrong: an order that can never be parsed. */
public final class PoisonRecordException extends Exception {

    private static final long serialVersionUID = 1L;

    public PoisonRecordException(String message) {
        super(message);
    }
}
