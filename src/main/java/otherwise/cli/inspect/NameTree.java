package otherwise.cli.inspect;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import otherwise.backend.Shape;
import otherwise.backend.dry.Work;

/// The tensors of a checkpoint as a tree of names. Neighbours that are numbered and alike stand on one line: `blocks.0 … 39`.
final class NameTree {

    /// A tensor as the tree shows it.
    record Leaf(Shape shape, String dtype) {}

    private final Map<String, NameTree> children = new LinkedHashMap<>();
    private Leaf leaf;
    private Work work = Work.NONE;

    private NameTree() {}

    static NameTree of(Map<String, Leaf> tensors) {
        var root = new NameTree();
        tensors.forEach((name, leaf) -> {
            var at = root;
            for (var part : name.split("\\.")) at = at.children.computeIfAbsent(part, p -> new NameTree());
            at.leaf = leaf;
        });
        return root;
    }

    /// Adds what was done at a place to the deepest folder that there is on the way to it.
    NameTree add(Map<String, Work> byPlace) {
        byPlace.forEach((place, work) -> {
            var at = this;
            for (var part : place.split("\\.")) {
                var next = at.children.get(part);
                if (next == null || next.leaf != null) break;
                at = next;
            }
            at.work = at.work.plus(work);
        });
        return this;
    }

    long parameters() {
        return (leaf == null ? 0 : leaf.shape.size()) + children.values().stream().mapToLong(NameTree::parameters).sum();
    }

    private Work whole() {
        return children.values().stream().map(NameTree::whole).reduce(work, Work::plus);
    }

    /// What makes two trees look alike: the same names below, with the same shapes and types, and the same work.
    private String likeness() {
        var text = new StringBuilder(leaf == null ? work.toString() : leaf.toString());
        children.forEach((name, child) -> text.append('{').append(name).append(child.likeness()).append('}'));
        return text.toString();
    }

    /// A line of the tree: indented name, what it is.
    private record Line(String name, String what, long parameters, long products) {}

    /// Prints a line for every folder and tensor down to `depth` names.
    void print(PrintStream out, int depth) {
        var lines = new ArrayList<Line>();
        collect(lines, "", depth);
        int name = lines.stream().mapToInt(line -> line.name.length()).max().orElse(0);
        int what = lines.stream().mapToInt(line -> line.what.length()).max().orElse(0);
        boolean work = lines.stream().anyMatch(line -> line.products > 0);
        for (var line : lines) {
            var text = String.format(Locale.ROOT, "%-" + name + "s  %-" + Math.max(1, what) + "s  %,16d", line.name, line.what,
                    line.parameters);
            out.println(
                    (work && line.products > 0 ? text + String.format("  %9s", Amount.operations(line.products)) : text).stripTrailing());
        }
    }

    private void collect(List<Line> lines, String indent, int depth) {
        if (depth == 0) return;
        var entries = new ArrayList<>(children.entrySet());
        for (int i = 0; i < entries.size();) {
            int same = alike(entries, i);
            var name = entries.get(i).getKey() + (same > 1 ? " … " + entries.get(i + same - 1).getKey() : "");
            var child = entries.get(i).getValue();
            var what = child.leaf != null ? child.leaf.dtype + child.leaf.shape : same > 1 ? same + " alike, each" : "";
            lines.add(new Line(indent + name, what, child.parameters(), child.whole().products()));
            child.collect(lines, indent + "  ", depth - 1);
            i += same;
        }
    }

    /// How many numbered folders from `i` on look alike.
    private static int alike(List<Map.Entry<String, NameTree>> entries, int i) {
        int n = 1;
        if (!number(entries.get(i).getKey())) return n;
        var first = entries.get(i).getValue().likeness();
        while (i + n < entries.size() && number(entries.get(i + n).getKey()) && entries.get(i + n).getValue().likeness().equals(first)) n++;
        return n;
    }

    private static boolean number(String name) {
        return !name.isEmpty() && name.chars().allMatch(Character::isDigit);
    }
}
