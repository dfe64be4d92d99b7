package otherwise.models.umt5;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/// What SentencePiece does to a text before it is cut (normalizer.cc): replacements by the [Charsmap], one space for several, none at the
/// ends, one in front of the first word; and a visible sign for every space.
///
/// @param charsmap `null` without replacements
/// @param symbols user-defined ones, which are left as they are
/// @param dummyPrefix whether a space is put in front, so that a first word is like any other
/// @param singleSpaces whether runs of spaces become one, and spaces at the ends are left out
/// @param escapedSpaces whether spaces become ▁
/// @param spaceAsSuffix whether that space belongs behind
record SentencePieceNormalizer(
        Charsmap charsmap,
        List<byte[]> symbols,
        boolean dummyPrefix,
        boolean singleSpaces,
        boolean escapedSpaces,
        boolean spaceAsSuffix) {
    private static final String VISIBLE = "▁";

    String normalize(String input) {
        var text = input.getBytes(StandardCharsets.UTF_8);
        int at = 0;
        if (singleSpaces) {
            while (at < text.length) {
                var next = next(text, at);
                if (!next.replacement().equals(" ")) break;
                at += next.length();
            }
        }
        if (at == text.length) return "";
        var space = escapedSpaces ? VISIBLE : " ";
        var out = new StringBuilder();
        if (dummyPrefix && !spaceAsSuffix) out.append(space);
        boolean afterSpace = singleSpaces;
        while (at < text.length) {
            var next = next(text, at);
            at += next.length();
            var piece = next.replacement();
            while (afterSpace && piece.startsWith(" ")) piece = piece.substring(1);
            if (piece.isEmpty()) continue;
            out.append(piece.replace(" ", space));
            afterSpace = singleSpaces && piece.endsWith(" ");
        }
        if (singleSpaces) while (out.length() > 0 && out.lastIndexOf(space) == out.length() - 1) out.setLength(out.length() - 1);
        if (dummyPrefix && spaceAsSuffix) out.append(space);
        return out.toString();
    }

    /// The next stretch of text, and what it becomes: a symbol, a replacement, or a character that stays.
    private Charsmap.Match next(byte[] text, int at) {
        byte[] symbol = null;
        for (var s : symbols) {
            boolean here = at + s.length <= text.length && Arrays.equals(text, at, at + s.length, s, 0, s.length);
            if (here && (symbol == null || s.length > symbol.length)) symbol = s;
        }
        if (symbol != null) return new Charsmap.Match(symbol.length, new String(symbol, StandardCharsets.UTF_8));
        var replaced = charsmap == null ? null : charsmap.longest(text, at);
        if (replaced != null) return replaced;
        int length = (text[at] & 0x80) == 0 ? 1 : Integer.numberOfLeadingZeros(~(text[at] << 24));
        return new Charsmap.Match(length, new String(text, at, length, StandardCharsets.UTF_8));
    }
}
