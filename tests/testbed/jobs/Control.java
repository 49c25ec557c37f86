package com.example.orders;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;

/** The control folder: a file's presence or content is an order to the running job. */
public final class Control implements Serializable {

    private static final long serialVersionUID = 1L;

    private final String folder;

    public Control(String folder) {
        this.folder = folder;
    }

    public String folder() {
        return folder;
    }

    private Path path(String name) {
        return Paths.get(folder, name);
    }

    public boolean has(String name) {
        return Files.exists(path(name));
    }

    /** The content of a file, byte for byte, or the default when there is none. */
    public String text(String name, String otherwise) {
        try {
            return new String(Files.readAllBytes(path(name)), StandardCharsets.UTF_8);
        } catch (IOException missing) {
            return otherwise;
        }
    }

    public long number(String name, long otherwise) {
        String text = text(name, "").trim();
        return text.isEmpty() ? otherwise : Long.parseLong(text);
    }

    public long lines(String name) {
        return text(name, "").lines().count();
    }

    public void append(String name, String line) throws IOException {
        Files.write(
                path(name),
                (line + "\n").getBytes(StandardCharsets.UTF_8),
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }
}
