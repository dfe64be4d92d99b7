package otherwise.models.umt5;

import com.fasterxml.jackson.databind.JsonNode;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Locale;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The normalisers of a `tokenizer.json`, by their names there.
final class Normalizers {
    private Normalizers() {}

    /// @throws IllegalArgumentException naming one that is not known here
    static UnaryOperator<String> of(JsonNode json) {
        if (json.isMissingNode() || json.isNull()) return text -> text;
        var type = json.path("type").asText("");
        return switch (type) {
            case "Sequence" -> {
                var steps = new ArrayList<UnaryOperator<String>>();
                json.path("normalizers").forEach(step -> steps.add(of(step)));
                yield text -> {
                    for (var step : steps) text = step.apply(text);
                    return text;
                };
            }
            case "Precompiled" -> precompiled(json);
            case "Replace" -> replace(json);
            case "Strip" -> strip(json.path("strip_left").asBoolean(), json.path("strip_right").asBoolean());
            case "Prepend" -> {
                var prefix = json.path("prepend").asText("");
                yield text -> text.isEmpty() ? text : prefix + text;
            }
            case "Lowercase" -> text -> text.toLowerCase(Locale.ROOT);
            case "NFC", "NFD", "NFKC", "NFKD" -> {
                var form = Normalizer.Form.valueOf(type);
                yield text -> Normalizer.normalize(text, form);
            }
            default -> throw new IllegalArgumentException("no normalizer is called '" + type + "' here");
        };
    }

    private static UnaryOperator<String> precompiled(JsonNode json) {
        byte[] blob;
        try {
            blob = Base64.getDecoder().decode(json.path("precompiled_charsmap").asText(""));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("the precompiled_charsmap is not Base64: " + e.getMessage(), e);
        }
        if (blob.length == 0) return text -> text;
        var charsmap = Charsmap.parse(blob);
        return charsmap::normalizeGraphemes;
    }

    private static UnaryOperator<String> replace(JsonNode json) {
        var content = json.path("content").asText("");
        var found = json.path("pattern");
        if (found.path("String").isTextual()) {
            var literal = found.path("String").asText();
            return text -> literal.isEmpty() ? text : text.replace(literal, content);
        }
        if (!found.path("Regex").isTextual()) throw new IllegalArgumentException("a Replace without a pattern");
        var regex = Pattern.compile(found.path("Regex").asText(), Pattern.UNICODE_CHARACTER_CLASS);
        return text -> regex.matcher(text).replaceAll(Matcher.quoteReplacement(content));
    }

    private static UnaryOperator<String> strip(boolean left, boolean right) {
        return text -> {
            int from = 0;
            int to = text.length();
            if (left) while (from < to && isSpace(text.charAt(from))) from++;
            if (right) while (to > from && isSpace(text.charAt(to - 1))) to--;
            return text.substring(from, to);
        };
    }

    /// White space as Unicode has it; all of it lies in the basic plane.
    static boolean isSpace(int c) {
        return c >= 0x09 && c <= 0x0D || c == 0x85 || Character.isSpaceChar(c);
    }
}
