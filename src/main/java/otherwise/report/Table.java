package otherwise.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// A small table for the terminal and for Markdown. Columns that hold nothing but numbers (and `–` where there is none) stand to the right,
/// all others to the left.
public final class Table {

    /// A number, perhaps with a sign, a comparison or a unit: `12`, `-0.5`, `>0.99`, `95 %`, `1.2e-05`, `0.951 ± 0.004`.
    private static final Pattern NUMBER = Pattern.compile("[<>≥≤~]?[+\\-−]?\\d[\\d,]*(\\.\\d+)?(e[+-]?\\d+)?( ?(%|±.*|[a-zA-Zµ/]{1,5}))?");
    private static final Pattern NOTHING = Pattern.compile("|[-–—?∞]|NaN");

    private final List<List<String>> rows = new ArrayList<>();

    private Table(List<String> heads) {
        if (heads.isEmpty()) throw new IllegalArgumentException("a table needs a column");
        rows.add(heads);
    }

    /// A table without rows, with these heads over its columns.
    public static Table of(String... heads) {
        return new Table(cells((Object[]) heads));
    }

    /// Adds a row. Fractions show three significant digits; whoever wants others hands over a string.
    ///
    /// @throws IllegalArgumentException if there are more or fewer cells than columns
    public Table row(Object... cells) {
        if (cells.length != rows.getFirst().size()) {
            throw new IllegalArgumentException(
                    "%d cells for %d columns: %s".formatted(cells.length, rows.getFirst().size(), List.of(cells)));
        }
        rows.add(cells(cells));
        return this;
    }

    /// For a terminal: two spaces between columns, a line under the heads, a line break after every row.
    public String text() {
        var right = right();
        var widths = widths(rows);
        var out = new StringBuilder();
        for (int r = 0; r < rows.size(); r++) {
            out.append(line(rows.get(r), widths, right, "  ").stripTrailing()).append('\n');
            if (r == 0) out.append("─".repeat(IntStream.of(widths).sum() + 2 * (widths.length - 1))).append('\n');
        }
        return out.toString();
    }

    /// For Markdown, aligned so that it can also be read as it is.
    public String markdown() {
        var right = right();
        var escaped = rows.stream().map(row -> row.stream().map(Table::inMarkdown).toList()).toList();
        var widths = IntStream.of(widths(escaped)).map(width -> Math.max(3, width)).toArray();
        var out = new StringBuilder();
        for (int r = 0; r < escaped.size(); r++) {
            out.append("| ").append(line(escaped.get(r), widths, right, " | ")).append(" |\n");
            if (r > 0) continue;
            out.append("|");
            for (int c = 0; c < widths.length; c++) out.append("-".repeat(widths[c] + 1)).append(right[c] ? ":|" : "-|");
            out.append('\n');
        }
        return out.toString();
    }

    private static List<String> cells(Object... cells) {
        var texts = new ArrayList<String>();
        for (var cell : cells) {
            var text = switch (cell) {
                case Double d -> Html.number(d);
                case Float f -> Html.number(f);
                default -> cell.toString();
            };
            // A row is a line, whatever a file name has in it.
            texts.add(text.codePoints()
                    .map(c -> Character.isISOControl(c) ? ' ' : c)
                    .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                    .toString());
        }
        return texts;
    }

    private static String line(List<String> cells, int[] widths, boolean[] right, String between) {
        return IntStream.range(0, widths.length).mapToObj(c -> {
            var space = " ".repeat(widths[c] - width(cells.get(c)));
            return right[c] ? space + cells.get(c) : cells.get(c) + space;
        }).collect(Collectors.joining(between));
    }

    private boolean[] right() {
        var right = new boolean[rows.getFirst().size()];
        for (int c = 0; c < right.length; c++) {
            int column = c;
            var cells = rows.stream().skip(1).map(row -> row.get(column)).toList();
            right[c] = cells.stream().allMatch(cell -> NUMBER.matcher(cell).matches() || NOTHING.matcher(cell).matches())
                    && cells.stream().anyMatch(cell -> NUMBER.matcher(cell).matches());
        }
        return right;
    }

    private static int[] widths(List<List<String>> rows) {
        return IntStream.range(0, rows.getFirst().size())
                .map(c -> rows.stream().mapToInt(row -> width(row.get(c))).max().orElseThrow())
                .toArray();
    }

    private static int width(String text) {
        return text.codePointCount(0, text.length());
    }

    private static String inMarkdown(String cell) {
        return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;");
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "table of %d rows", rows.size() - 1);
    }
}
