package otherwise.io;

import java.io.IOException;
import java.nio.file.Path;

/// A file that cannot be used as what it was opened as. The message is one line: the file, then what is wrong with it.
public final class InvalidFileException extends IOException {

    private static final int LONGEST_QUOTE = 120;

    /// Says `file: problem`. Line breaks and control characters in `problem` are shown as `?`, so that the message stays one line.
    public InvalidFileException(Path file, String problem) {
        super(line(file, problem));
    }

    /// As above, and keeps what went wrong underneath.
    public InvalidFileException(Path file, String problem, Throwable cause) {
        super(line(file, problem), cause);
    }

    private static String line(Path file, String problem) {
        return printable(file + ": " + problem);
    }

    /// `text` in quotes, cut at 120 characters: names inside a hostile file can be megabytes long.
    static String quoted(String text) {
        return '"' + printable(text.length() <= LONGEST_QUOTE ? text : text.substring(0, LONGEST_QUOTE) + "…") + '"';
    }

    private static String printable(String text) {
        var out = new StringBuilder(text);
        for (int i = 0; i < out.length(); i++) {
            if (Character.isISOControl(out.charAt(i))) {
                out.setCharAt(i, '?');
            }
        }
        return out.toString();
    }
}
