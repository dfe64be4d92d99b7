package otherwise.models.umt5;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/// As Python's `html.unescape` and `re.sub(r'\s+', ' ', …)` do it.
class PromptCleaningTest {

    @Test
    void spacesAreSingle() {
        assertEquals("a b c d", PromptCleaning.clean(" \u3000a \t\n b\u00A0c\u2003\u001Cd\r\n"));
        assertEquals("", PromptCleaning.clean(" \n "));
    }

    @Test
    void referencesBecomeCharacters() {
        assertEquals("a & b < c 'd' \"e\"", PromptCleaning.clean("a &amp; b &lt; c &#39;d&#x27; &quot;e&quot;"));
        assertEquals("a b", PromptCleaning.clean("a&nbsp;&nbsp;b"));
        assertEquals("<b>", PromptCleaning.clean("&amp;lt;b&amp;gt;"));
        assertEquals("&amp;", PromptCleaning.unescape("&amp;amp;"));
        assertEquals("¬it; ∉ x", PromptCleaning.unescape("&notit; &notin; x"));
        assertEquals("&nothing & &; &#; &#x;".replace("&not", "¬"), PromptCleaning.unescape("&nothing & &; &#; &#x;"));
    }

    @Test
    void numbersThatAreNoCharacters() {
        assertEquals("€ \uFFFD \uFFFD \uFFFD  &", PromptCleaning.unescape("&#128; &#0; &#xD800; &#99999999999999; &#11; &#00000000038;"));
    }
}
