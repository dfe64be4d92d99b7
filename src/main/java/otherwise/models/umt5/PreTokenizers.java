package otherwise.models.umt5;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/// The pre-tokenisers of a `tokenizer.json`, by their names there: how a normalised text becomes words.
final class PreTokenizers {

    /// One of them.
    @FunctionalInterface
    interface PreTokenizer {
        /// @param first whether `text` is the beginning of the whole text
        List<String> words(String text, boolean first);
    }

    private PreTokenizers() {}

    /// @throws IllegalArgumentException naming one that is not known here
    static PreTokenizer of(JsonNode json) {
        if (json.isMissingNode() || json.isNull()) return (text, _) -> List.of(text);
        var type = json.path("type").asText("");
        return switch (type) {
            case "Sequence" -> {
                var steps = new ArrayList<PreTokenizer>();
                json.path("pretokenizers").forEach(step -> steps.add(of(step)));
                yield (text, first) -> sequence(steps, text, first);
            }
            case "Metaspace" -> metaspace(json);
            case "WhitespaceSplit" -> (text, _) -> split(text);
            default -> throw new IllegalArgumentException("no pre_tokenizer is called '" + type + "' here");
        };
    }

    private static List<String> sequence(List<PreTokenizer> steps, String text, boolean first) {
        var words = List.of(text);
        for (var step : steps) {
            var next = new ArrayList<String>();
            for (int i = 0; i < words.size(); i++) next.addAll(step.words(words.get(i), first && i == 0));
            words = next;
        }
        return words;
    }

    /// Spaces become ▁; a word begins with one.
    private static PreTokenizer metaspace(JsonNode json) {
        var sign = json.path("replacement").asText("▁");
        // Before there was a prepend_scheme, add_prefix_space said whether.
        var before = json.path("add_prefix_space").asBoolean(true) ? "always" : "never";
        var scheme = json.path("prepend_scheme").asText(before);
        boolean split = json.path("split").asBoolean(true);
        if (sign.isEmpty()) throw new IllegalArgumentException("a Metaspace without a replacement");
        if (!List.of("always", "first", "never").contains(scheme)) {
            throw new IllegalArgumentException("no prepend_scheme of Metaspace is called '" + scheme + "'");
        }
        return (text, first) -> {
            if (text.isEmpty()) return List.of();
            var marked = text.replace(" ", sign);
            boolean prepended = scheme.equals("always") || scheme.equals("first") && first;
            if (prepended && !marked.startsWith(sign)) marked = sign + marked;
            return split ? beforeEach(marked, sign) : List.of(marked);
        };
    }

    /// Cut in front of every `sign`.
    private static List<String> beforeEach(String text, String sign) {
        var words = new ArrayList<String>();
        int from = 0;
        for (int at = text.indexOf(sign, 1); at >= 0; at = text.indexOf(sign, at + sign.length())) {
            words.add(text.substring(from, at));
            from = at;
        }
        words.add(text.substring(from));
        return words;
    }

    private static List<String> split(String text) {
        var words = new ArrayList<String>();
        int from = 0;
        for (int at = 0; at <= text.length(); at++) {
            if (at < text.length() && !Normalizers.isSpace(text.charAt(at))) continue;
            if (at > from) words.add(text.substring(from, at));
            from = at + 1;
        }
        return words;
    }
}
