package otherwise.models.umt5;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// What Wan does to a prompt before it is tokenised (wan/modules/tokenizers.py, `clean='whitespace'`): character references of HTML become
/// characters, twice; runs of white space become one space, and none is left at the ends.
///
/// The official code also repairs wrongly decoded text with the `ftfy` library ("â€™" → "'"). That is not done here; on text that was decoded
/// rightly it changes little but curly quotes, which become straight: write those straight.
public final class PromptCleaning {
    /// White space as Python's `\s` has it.
    private static final Pattern SPACES =
            Pattern.compile("[\\x09-\\x0D\\x1C-\\x20\\x85\\xA0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000]+");

    /// By the HTML standard, the semicolon may be missing.
    private static final Pattern REFERENCE =
            Pattern.compile("&(?:#([0-9]+);?|#[xX]([0-9a-fA-F]+);?|([^\\t\\n\\f <&#;]{1,32};?))");

    private PromptCleaning() {}

    /// All of it.
    public static String clean(String prompt) {
        return singleSpaces(unescape(unescape(prompt)));
    }

    /// One space for every run of white space, none at the ends.
    public static String singleSpaces(String text) {
        return SPACES.matcher(text).replaceAll(" ").strip();
    }

    /// Character references by name and by number as characters: `&amp;` → `&`, `&#39;` → `'`. What is none stays.
    public static String unescape(String text) {
        if (text.indexOf('&') < 0) return text;
        return REFERENCE.matcher(text).replaceAll(found -> Matcher.quoteReplacement(character(found)));
    }

    private static String character(MatchResult found) {
        if (found.group(1) != null) return character(number(found.group(1), 10));
        if (found.group(2) != null) return character(number(found.group(2), 16));
        var name = found.group(3);
        var names = Names.ALL;
        // An old name may end anywhere: &notit; is ¬it;
        for (int end = name.length(); end >= 2; end--) {
            var known = names.get(name.substring(0, end));
            if (known != null) return known + name.substring(end);
        }
        return found.group();
    }

    private static int number(String digits, int radix) {
        var significant = digits.replaceFirst("^0+(?=.)", "");
        return significant.length() > 8 ? Integer.MAX_VALUE : (int) Math.min(Long.parseLong(significant, radix), Integer.MAX_VALUE);
    }

    /// A character by its number. As browsers do, 128 to 159 mean those of Windows-1252, and what can be no character of a text is left out.
    private static String character(int c) {
        if (c == 0 || c > Character.MAX_CODE_POINT || c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) return "\uFFFD";
        if (c >= 0x80 && c <= 0x9F) {
            var windows = new String(new byte[] {(byte) c}, Charset.forName("windows-1252"));
            return windows.equals("\uFFFD") ? Character.toString(c) : windows;
        }
        boolean control = c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r' || c == 0x7F;
        boolean none = c >= 0xFDD0 && c <= 0xFDEF || (c & 0xFFFE) == 0xFFFE;
        return control || none ? "" : Character.toString(c);
    }

    /// The named characters of the HTML standard, read when the first is met: a name and its code points a line.
    private static final class Names {
        static final Map<String, String> ALL = read();

        private static Map<String, String> read() {
            try (var in = PromptCleaning.class.getResourceAsStream("html-entities.txt")) {
                var names = new HashMap<String, String>();
                for (var line : new String(in.readAllBytes(), StandardCharsets.US_ASCII).lines().toList()) {
                    var words = line.split(" ");
                    var characters = new StringBuilder();
                    for (int i = 1; i < words.length; i++) characters.appendCodePoint(Integer.parseInt(words[i], 16));
                    names.put(words[0], characters.toString());
                }
                return Map.copyOf(names);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
