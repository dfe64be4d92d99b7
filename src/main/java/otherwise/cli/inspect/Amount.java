package otherwise.cli.inspect;

import java.util.Locale;

/// Large numbers for people.
public final class Amount {
    private static final String[] THOUSANDS = {"", "k", "M", "G", "T", "P", "E"};
    private static final String[] BINARY = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

    private Amount() {}

    /// `3.21 TFLOP`
    static String operations(double n) {
        return scaled(n, 1000, THOUSANDS) + "FLOP";
    }

    /// `1.32 GiB`
    public static String bytes(double n) {
        return scaled(n, 1024, BINARY);
    }

    private static String scaled(double n, double step, String[] units) {
        int unit = 0;
        while (n >= step && unit < units.length - 1) {
            n /= step;
            unit++;
        }
        return String.format(Locale.ROOT, unit == 0 ? "%.0f %s" : "%.2f %s", n, units[unit]);
    }
}
