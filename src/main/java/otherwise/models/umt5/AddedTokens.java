package otherwise.models.umt5;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import otherwise.models.umt5.Tokenizer.Word;

/// The way of a `tokenizer.json` from a text to its words: added tokens are found in the text as it is written, or, those that are to be
/// normalised, in the normalised text; what is between them is normalised and taken apart.
record AddedTokens(List<Token> asWritten, List<Token> normalized, UnaryOperator<String> normalizer, PreTokenizers.PreTokenizer preTokenizer)
        implements
            Tokenizer.Words {

    /// @param singleWord whether it is found only where no letter or digit touches it
    /// @param lstrip whether spaces to its left belong to it
    /// @param rstrip whether spaces to its right belong to it
    record Token(String content, int id, boolean singleWord, boolean lstrip, boolean rstrip, boolean normalized) {}

    AddedTokens(List<Token> tokens, UnaryOperator<String> normalizer, PreTokenizers.PreTokenizer preTokenizer) {
        this(
                tokens.stream().filter(t -> !t.normalized).toList(),
                tokens.stream()
                        .filter(Token::normalized)
                        .map(t -> new Token(normalizer.apply(t.content), t.id, t.singleWord, t.lstrip, t.rstrip, true))
                        .toList(),
                normalizer,
                preTokenizer);
    }

    /// A stretch of the text that is a token, or lies between tokens (`token` is `null`).
    private record Stretch(String text, Token token, boolean first) {}

    @Override
    public List<Word> of(String text) {
        var words = new ArrayList<Word>();
        for (var written : stretches(text, asWritten, true)) {
            if (written.token != null) {
                words.add(new Word(null, written.token.id));
                continue;
            }
            for (var plain : stretches(normalizer.apply(written.text), normalized, written.first)) {
                if (plain.token != null) words.add(new Word(null, plain.token.id));
                else preTokenizer.words(plain.text, plain.first).forEach(word -> words.add(new Word(word)));
            }
        }
        return words;
    }

    /// The text from token to token, without empty stretches.
    private static List<Stretch> stretches(String text, List<Token> tokens, boolean first) {
        var stretches = new ArrayList<Stretch>();
        int done = 0;
        for (int at = 0; at < text.length();) {
            var token = longest(text, at, tokens);
            if (token == null) {
                at++;
                continue;
            }
            int end = at + token.content.length();
            if (token.singleWord && (at > 0 && isWord(text.codePointBefore(at)) || end < text.length() && isWord(text.codePointAt(end)))) {
                at = end;
                continue;
            }
            int from = at;
            if (token.lstrip) while (from > done && Normalizers.isSpace(text.charAt(from - 1))) from--;
            if (token.rstrip) while (end < text.length() && Normalizers.isSpace(text.charAt(end))) end++;
            if (from > done) stretches.add(new Stretch(text.substring(done, from), null, first && done == 0));
            stretches.add(new Stretch(null, token, false));
            at = end;
            done = end;
        }
        if (done < text.length()) stretches.add(new Stretch(text.substring(done), null, first && done == 0));
        return stretches;
    }

    private static Token longest(String text, int at, List<Token> tokens) {
        Token longest = null;
        for (var token : tokens) {
            boolean longer = longest == null || token.content.length() > longest.content.length();
            if (longer && !token.content.isEmpty() && text.startsWith(token.content, at)) longest = token;
        }
        return longest;
    }

    private static boolean isWord(int c) {
        int type = Character.getType(c);
        return Character.isLetterOrDigit(c) || type == Character.NON_SPACING_MARK || type == Character.ENCLOSING_MARK
                || type == Character.COMBINING_SPACING_MARK || type == Character.CONNECTOR_PUNCTUATION;
    }
}
