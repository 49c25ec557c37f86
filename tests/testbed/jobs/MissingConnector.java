package com.example.orders;

/** A class that is there when the job is compiled, and taken out of the jar afterwards. */
final class MissingConnector {

    private MissingConnector() {}

    static void connect() {}
}
