package otherwise.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/// How one library's checkpoints name the tensors of a network: a list of rules, each a pattern of our name beside a pattern of theirs.
///
///     blocks.#.self_attn.q.*     blocks.#.attn1.to_q.*
///
/// `#` stands for a number and a last `*` for whatever follows; both sides have the same, in the same order. The first rule that matches
/// holds, in either direction.
///
/// @param title what the naming is called
/// @param mark a tensor, by their name, that every such checkpoint has and none under another naming
/// @param rules ours beside theirs; a name that no rule matches is unknown
/// @param spare patterns of names (ours where there is one, else theirs) that such checkpoints have and our networks do not need
public record Names(String title, String mark, List<Rule> rules, List<String> spare) {

    /// Where a tensor of ours is found: under one name of theirs, or under several, which are joined along the first axis.
    ///
    /// @param leading axes of size 1 that ours has in front of theirs
    /// @param transposed whether the two axes of theirs are swapped
    public record Origin(List<String> names, int leading, boolean transposed) {}

    /// One line of the list.
    public record Rule(String ours, List<String> theirs, int leading, boolean transposed) {}

    /// A naming that was found in a file.
    ///
    /// @param prefix what stands before all its names, such as `state_dict.`
    public record Found(Names names, String prefix) {}

    /// The names under which we know the network ourselves.
    public static Names own(String title, String mark, String... spare) {
        return of(title, mark, "* *", spare);
    }

    /// A naming from its rules, one a line: our pattern, and theirs. Several of theirs are joined along the first axis; `+1` or `+2` at the
    /// end gives ours so many axes of size 1 in front, `T` swaps the axes.
    public static Names of(String title, String mark, String rules, String... spare) {
        return new Names(title, mark, rules.lines().filter(line -> !line.isBlank()).map(Names::rule).toList(), List.of(spare));
    }

    private static Rule rule(String line) {
        var words = new ArrayList<>(List.of(line.strip().split("\\s+")));
        boolean transposed = words.remove("T");
        int leading = words.getLast().startsWith("+") ? Integer.parseInt(words.removeLast().substring(1)) : 0;
        if (words.size() < 2) throw new IllegalArgumentException("a rule needs a name of ours and one of theirs: " + line);
        return new Rule(words.getFirst(), List.copyOf(words.subList(1, words.size())), leading, transposed);
    }

    /// The first of these namings whose mark is among the names of a file, perhaps behind a prefix.
    public static Optional<Found> in(Collection<String> file, List<Names> known) {
        for (var names : known) {
            for (var name : file) {
                if (!name.endsWith(names.mark)) continue;
                var prefix = name.substring(0, name.length() - names.mark.length());
                if (prefix.isEmpty() || prefix.endsWith(".")) return Optional.of(new Found(names, prefix));
            }
        }
        return Optional.empty();
    }

    /// Where our tensor is found; empty if it has no name there.
    public Optional<Origin> origin(String ours) {
        for (var rule : rules) {
            var parts = match(rule.ours, ours);
            if (parts == null) continue;
            return Optional.of(new Origin(rule.theirs.stream().map(t -> fill(t, parts)).toList(), rule.leading, rule.transposed));
        }
        return Optional.empty();
    }

    /// What we call their tensor, or that of ours which it is a part of; empty if we do not know it.
    public Optional<String> ours(String theirs) {
        for (var rule : rules) {
            for (var pattern : rule.theirs) {
                var parts = match(pattern, theirs);
                if (parts != null) return Optional.of(fill(rule.ours, parts));
            }
        }
        return Optional.empty();
    }

    /// Whether a tensor of this name (ours where there is one, else theirs) may stay unused.
    public boolean isSpare(String name) {
        return spare.stream().anyMatch(pattern -> match(pattern, name) != null);
    }

    /// What the placeholders of a pattern stand for in a name, or `null` if it does not match.
    private static List<String> match(String pattern, String name) {
        var wanted = pattern.split("\\.");
        var words = name.split("\\.");
        var parts = new ArrayList<String>();
        for (int i = 0; i < wanted.length; i++) {
            if (i >= words.length) return null;
            if (wanted[i].equals("*") && i == wanted.length - 1) {
                parts.add(String.join(".", Arrays.asList(words).subList(i, words.length)));
                return parts;
            }
            boolean number = wanted[i].equals("#");
            if (number ? !isNumber(words[i]) : !wanted[i].equals(words[i])) return null;
            if (number) parts.add(words[i]);
        }
        return words.length == wanted.length ? parts : null;
    }

    private static String fill(String pattern, List<String> parts) {
        var words = pattern.split("\\.");
        int next = 0;
        for (int i = 0; i < words.length; i++) if (words[i].equals("#") || words[i].equals("*")) words[i] = parts.get(next++);
        return String.join(".", words);
    }

    private static boolean isNumber(String word) {
        return !word.isEmpty() && word.chars().allMatch(c -> c >= '0' && c <= '9');
    }
}
