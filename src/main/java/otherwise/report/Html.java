package otherwise.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/// The parts of the page that are words and numbers. They are there without a script running, for printing, searching and reading aloud.
final class Html {

    /// So many classes are shown at once; of more, the most probable, and the rest on demand.
    private static final int CLASSES_SHOWN = 12;

    private Html() {}

    /// `text` as it may stand between tags and inside quoted attributes.
    static String escaped(String text) {
        var out = new StringBuilder(text.length() + 16);
        for (int i = 0; i < text.length(); i++) {
            switch (text.charAt(i)) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                default -> out.append(text.charAt(i));
            }
        }
        return out.toString();
    }

    static String headline(Verdict verdict) {
        var before = "<span class=\"side before\">%s <b>%s</b></span>"
                .formatted(escaped(verdict.source()), escaped(Verdict.probability(verdict.before())));
        var after = "<span class=\"side after\">%s <b>%s</b></span>"
                .formatted(escaped(verdict.outcome()), escaped(Verdict.probability(verdict.after())));
        return before + " <span class=\"arrow\">→</span> " + after;
    }

    static String outcome(Verdict verdict) {
        if (verdict.flipped()) {
            return "<span class=\"badge yes\">flipped</span> The what-if clip is classified as <b>%s</b>."
                    .formatted(escaped(verdict.target()));
        }
        return "<span class=\"badge no\">not flipped</span> The what-if clip is still classified as <b>%s</b>; <b>%s</b> has %s."
                .formatted(escaped(verdict.outcome()), escaped(verdict.target()), escaped(Verdict.probability(verdict.targetAfter())));
    }

    static String figures(Map<String, Double> figures) {
        var out = new StringBuilder();
        figures.forEach((name, value) -> out.append("<div><dt>%s</dt><dd>%s</dd></div>\n".formatted(escaped(name), number(value))));
        return out.isEmpty() ? "" : "<dl class=\"figures\">\n" + out + "</dl>";
    }

    /// Every class with two bars: what the original has of it, and what the counterfactual has.
    static String probabilities(ReportData data) {
        var order = IntStream.range(0, data.classes().size()).boxed().toList();
        if (order.size() <= CLASSES_SHOWN) return bars(data, order);
        var sorted = new ArrayList<>(order);
        sorted.sort(Comparator.comparingDouble(k -> -Math.max(data.before()[k], data.after()[k])));
        // The two that the question is about are never hidden.
        var shown = new ArrayList<>(sorted.subList(0, CLASSES_SHOWN));
        for (int k : List.of(data.source(), data.target())) {
            if (!shown.contains(k)) shown.add(k);
        }
        sorted.removeAll(shown);
        if (sorted.isEmpty()) return bars(data, shown);
        int most = sorted.getFirst();
        var summary = "%d further classes, none above %s"
                .formatted(sorted.size(), Verdict.probability(Math.max(data.before()[most], data.after()[most])));
        return bars(data, shown) + "<details><summary>" + escaped(summary) + "</summary>\n" + bars(data, sorted) + "</details>";
    }

    private static String bars(ReportData data, List<Integer> order) {
        var out = new StringBuilder("<table class=\"bars\"><thead class=\"unseen\"><tr><th scope=\"col\">class</th>"
                + "<th scope=\"col\">probability, original and what-if</th></tr></thead><tbody>\n");
        for (int k : order) {
            var mark = k == data.source() ? " class=\"source\"" : k == data.target() ? " class=\"target\"" : "";
            out.append("<tr%s><th scope=\"row\">%s</th><td>%s%s</td></tr>\n"
                    .formatted(mark, escaped(data.classes().get(k)), bar("before", data.before()[k]), bar("after", data.after()[k])));
        }
        return out.append("</tbody></table>\n").toString();
    }

    private static String bar(String side, double p) {
        double width = Double.isNaN(p) ? 0 : 100 * Math.clamp(p, 0, 1);
        return String.format(
                Locale.ROOT,
                "<span class=\"bar %s\"><span class=\"track\"><i style=\"width:%.2f%%\"></i></span><span class=\"p\">%s</span></span>",
                side,
                width,
                escaped(Verdict.probability(p)));
    }

    /// Where the time went: the parts in the order given, each with its share of their sum.
    static String timings(Map<String, Double> timings) {
        if (timings.isEmpty()) return "<p class=\"none\">No times were recorded.</p>";
        double total = timings.values().stream().mapToDouble(Double::doubleValue).sum();
        // One number of decimals for all, so that the points stand below each other.
        var format = total < 100 ? "%.2f" : "%.1f";
        var out = new StringBuilder(
                "<table class=\"times\"><thead><tr><th scope=\"col\">part</th><th scope=\"col\" class=\"num\">seconds</th>"
                        + "<th scope=\"col\" class=\"num\">share</th><td></td></tr></thead><tbody>\n");
        timings.forEach((part, seconds) -> {
            double share = total > 0 ? 100 * seconds / total : 0;
            out.append("<tr><th scope=\"row\">").append(escaped(part)).append("</th>");
            out.append(String.format(
                    Locale.ROOT,
                    "<td class=\"num\">" + format
                            + "</td><td class=\"num\">%.0f %%</td><td class=\"share\"><i style=\"width:%.2f%%\"></i></td></tr>\n",
                    seconds,
                    share,
                    share));
        });
        return out.append(String.format(
                Locale.ROOT,
                "</tbody><tfoot><tr><th scope=\"row\">all</th><td class=\"num\">" + format + "</td><td></td><td></td></tr></tfoot></table>",
                total))
                .toString();
    }

    static String pairs(Map<String, String> pairs) {
        var out = new StringBuilder("<table class=\"pairs\"><tbody>\n");
        pairs.forEach(
                (name, value) -> out.append("<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n".formatted(escaped(name), escaped(value))));
        return out.append("</tbody></table>").toString();
    }

    /// Three significant digits and no more decimals than that takes; `∞` for the PSNR of equal clips, `–` for what could not be measured.
    static String number(double value) {
        if (Double.isNaN(value)) return "–";
        if (Double.isInfinite(value)) return value > 0 ? "∞" : "−∞";
        if (value == Math.rint(value) && Math.abs(value) < 1e6) return String.format(Locale.ROOT, "%.0f", value);
        double size = Math.abs(value);
        if (size >= 1e6 || size < 1e-3) return String.format(Locale.ROOT, "%.2e", value);
        int decimals = Math.clamp(2 - (int) Math.floor(Math.log10(size)), 0, 3);
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }
}
